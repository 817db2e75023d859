"""QDQ ONNX models out of the command line, and what ONNX Runtime makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from tests.e2e.conftest import Quantune
from tests.e2e.models import conv_relu, images, save_model, save_samples
from tools.zoo import Zoo

Refused = Callable[..., str]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save_model(conv_relu(), tmp_path / "model.onnx")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    return save_samples(tmp_path / "samples.npz", x=images())


def session(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    loaded = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = loaded.get_inputs()[0].name
    return lambda x: np.asarray(loaded.run(None, {name: x})[0])


def test_a_plan_leaves_as_onnx_at_once_and_later(
    quantune: Quantune, refused: Refused, tmp_path: Path, source: Path, samples: Path
) -> None:
    made = tmp_path / "out"
    common = ("quantize", source, "--calibration", samples, "--fp32-layers", "0", "--output", made)
    done = quantune(*common, "--deliverable", "qdq-onnx")
    assert done.status == 0, done.stderr
    later = tmp_path / "later.onnx"
    done = quantune("compile", made, "--deliverable", "qdq-onnx", "--output", later)
    assert done.status == 0, done.stderr
    assert later.read_bytes() == (made / "qdq.onnx").read_bytes()
    x = images(1)
    ours = Program((made / "model.vmfb").read_bytes())(x)[0]
    np.testing.assert_allclose(session(later)(x), ours, atol=np.abs(ours).max() / 200)

    signed = tmp_path / "signed.onnx"
    command = ("compile", made, "--deliverable", "qdq-onnx", "--output", signed)
    assert quantune(*command, "--activations", "int8").status == 0
    types = {tensor.data_type for tensor in onnx.load(signed).graph.initializer}
    assert onnx.TensorProto.UINT8 not in types

    elsewhere = tmp_path / "elsewhere.onnx"
    source.rename(elsewhere)
    assert "give the ONNX file by --model" in refused(*command)
    assert quantune(*command, "--model", elsewhere).status == 0
    other = save_model(conv_relu(input_shape=(1, 2, 5, 5)), tmp_path / "other.onnx")
    assert "is not the model that was quantized" in refused(*command, "--model", other)
    assert quantune(*common[:1], elsewhere, *common[2:], "--force").status == 0


def test_what_is_no_onnx_file_has_no_such_form(refused: Refused, tmp_path: Path, samples: Path) -> None:
    mlir = tmp_path / "fp32.mlir"
    mlir.write_text("module {}")
    command = ("quantize", mlir, "--calibration", samples, "--output", tmp_path / "out", "--deliverable", "qdq-onnx")
    assert "a QDQ ONNX model is the graph of an ONNX file" in refused(*command)
    assert "not an output directory" in refused("compile", mlir, "--deliverable", "qdq-onnx", "-o", tmp_path / "y.onnx")


@pytest.mark.zoo
def test_onnx_runtime_is_as_accurate_with_our_plan(quantune: Quantune, zoo: Path, tmp_path: Path) -> None:
    networks, made = Zoo(zoo), tmp_path / "out"
    network, count = "resnet8_cifar10", 1000
    calibration = save_samples(tmp_path / "calib.npz", **networks.samples(network, "calib", 20))
    done = quantune(
        *("quantize", networks.model(network), "--calibration", calibration, "--output", made),
        *("--deliverable", "qdq-onnx", "--no-verify"),
    )
    assert done.status == 0, done.stderr
    (x,) = networks.samples(network, "val", count).values()
    program = Program((made / "model.vmfb").read_bytes())
    fp32, theirs, ours = (
        np.concatenate([run(image[None]) for image in x])
        for run in (
            session(networks.model(network)),
            session(made / "qdq.onnx"),
            lambda image: program(image)[0],
        )
    )
    scores = [networks.score(network, outputs, count) for outputs in (theirs, ours)]
    assert scores[0] == pytest.approx(scores[1], abs=0.003)
    noise = [np.square(fp32 - outputs).sum() for outputs in (theirs, ours)]
    assert 10 * np.log10(noise[0] / noise[1]) < 1


def test_a_model_of_others_is_compiled_with_its_scales(
    quantune: Quantune, refused: Refused, tmp_path: Path, source: Path, samples: Path
) -> None:
    """Our own model comes back in as if it were another's."""
    made = tmp_path / "out"
    options = ("--fp32-layers", "0", "--no-verify", "--deliverable", "qdq-onnx")
    done = quantune("quantize", source, "--calibration", samples, *options, "--output", made)
    assert done.status == 0, done.stderr
    program = tmp_path / "model.vmfb"
    done = quantune("compile", made / "qdq.onnx", "--output", program)
    assert done.status == 0, done.stderr
    x = images(1)
    ours = Program((made / "model.vmfb").read_bytes())(x)[0]
    again = Program(program.read_bytes())(x)[0]
    np.testing.assert_allclose(again, ours, atol=np.abs(ours).max() / 200)
    command = (made / "qdq.onnx", "--calibration", samples)
    assert "give the fp32 model that it was made from" in refused("quantize", *command, "--output", tmp_path / "no")
    done = quantune("analyze", *command, "--json", "-")
    assert done.status == 0, done.stderr
    layers = {layer["name"]: layer for layer in json.loads(done.stdout)["layers"]}
    assert layers["conv"]["activation_sqnr_db"] > 30
    assert [layer["op"] for layer in layers.values() if layer["local_sqnr_db"]] == ["QuantizeLinear"]
    assert "has its ranges" in refused("analyze", *command, "--profile", made / "profile.npz")


@pytest.mark.zoo
def test_a_network_that_onnx_runtime_quantized(zoo: Path, tmp_path: Path) -> None:
    networks, network, count = Zoo(zoo), "kws_dscnn", 100
    ((name, calibration),) = networks.samples(network, "calib", 20).items()

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._feeds = iter([{name: sample[None]} for sample in calibration])

        def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
            return next(self._feeds, None)

    ready, quantized = tmp_path / "ready.onnx", tmp_path / "int8.onnx"
    quant_pre_process(networks.model(network), ready, skip_symbolic_shape=True)
    quantize_static(ready, quantized, Reader(), quant_format=QuantFormat.QDQ, per_channel=True)
    model = Model.load(quantized, keep_quantized=True)
    program, theirs = Program(compile_program(model.module, load_target("host"))), session(quantized)
    (x,) = networks.samples(network, "val", count).values()
    outputs = [np.concatenate([run(image[None]) for image in x]) for run in (lambda image: program(image)[0], theirs)]
    assert networks.score(network, outputs[0], count) == networks.score(network, outputs[1], count)
    lsb = 1 / 255  # of the softmax, which is rounded too
    assert (np.abs(outputs[0] - outputs[1]) > 1.01 * lsb).mean() < 0.01
