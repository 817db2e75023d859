"""Noise at the output is compared with what counts there: output - input of an autoencoder, scores less their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.dialects.quantune import ACCUMULATED, PROJECTED, PROJECTED_LANES, RESIDUAL, Noise
from quantune_mlir.model import Model
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.planning.noise_model import NoiseModel
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.measurement import Measurement
from quantune_mlir.sensitivity.noise import noise_at_output
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import PlanPolicy
from quantune_mlir.workflow.quantization import Quantization, quantize
from tests.onnx_models import build_model

RNG = np.random.default_rng(11)
IMAGE = (1, 4, 6, 6)
SAMPLES = 5
make = onnx.helper.make_node


def near_identity(gain: float) -> dict[str, np.ndarray]:
    """Weights of a bottleneck that gives back `gain` times its input, and a little else."""
    mix = np.linalg.qr(RNG.standard_normal((4, 4)))[0]
    there, back = (RNG.normal(part, 0.01).astype(np.float32) for part in (mix, gain * mix.T))
    return {"w1": there[:, :, None, None], "w2": back[:, :, None, None]}


def convolutions(gain: float, *, ending: Sequence[onnx.NodeProto] = (), result: str = "y") -> onnx.ModelProto:
    nodes = [
        make("Conv", ["x", "w1"], ["c"], name="encoder"),
        make("Conv", ["c", "w2"], ["y"], name="decoder"),
        *ending,
    ]
    return build_model(nodes, {"x": np.zeros(IMAGE, np.float32)}, near_identity(gain), [result])


def loaded(model: onnx.ModelProto, folder: Path) -> Model:
    onnx.save(model, folder / "model.onnx")
    return Model.load(folder / "model.onnx")


def quantized(model: Model, policy: PlanPolicy, data: Mapping[str, np.ndarray]) -> Quantization:
    return quantize(model, SampleSet.open(data, model.inputs), QuantizeOptions(), policy=policy, verify=False)


def images() -> np.ndarray:
    return RNG.uniform(0.5, 1.5, (SAMPLES, *IMAGE[1:])).astype(np.float32)


def all_int8_sqnr_db(sensitivity: SensitivityList) -> float:
    return NoiseModel.of(sensitivity).sqnr_db(layer.name for layer in sensitivity.layers)


@pytest.mark.parametrize("flat", [False, True])
def test_the_signal_is_what_the_network_misses_of_its_input(tmp_path: Path, *, flat: bool) -> None:
    """Through the layout transposes at the boundary, and where the result is the input in another shape."""
    ending = [make("Flatten", ["y"], ["f"], name="flatten")] if flat else []
    model = loaded(convolutions(0.9, ending=ending, result="f" if flat else "y"), tmp_path)
    data = images()
    found = quantized(model, PlanPolicy(everything="int8"), {"x": data})
    fp32, int8 = (Program(compile_program(m, load_target("host"))) for m in (model.module, found.mixed.module))
    output, residual = ErrorEnergy(), ErrorEnergy()
    for sample in data:
        reference, result = (program(sample[None])[0].reshape(IMAGE) for program in (fp32, int8))
        output += ErrorEnergy.of(reference, result)
        residual += ErrorEnergy.of(reference, sample[None])
    assert found.sensitivity.signal == "output - input"
    assert found.sensitivity.signal_share == pytest.approx(residual.normalized_mse, rel=1e-4)
    predicted = all_int8_sqnr_db(found.sensitivity)
    assert predicted == pytest.approx(ErrorEnergy(residual.noise, output.noise).sqnr_db, abs=0.02)
    assert output.sqnr_db is not None and output.sqnr_db > predicted + 15


def test_a_result_that_is_not_like_the_input_is_its_own_signal(tmp_path: Path) -> None:
    sensitivity = quantized(
        loaded(convolutions(-0.9), tmp_path), PlanPolicy(everything="int8"), {"x": images()}
    ).sensitivity
    assert (sensitivity.signal, sensitivity.signal_share) == ("output", 1.0)
    predicted = all_int8_sqnr_db(sensitivity)
    decoder = next(layer for layer in sensitivity.layers if layer.name == "decoder")
    assert predicted == pytest.approx(decoder.activation_sqnr_db, abs=0.01)


def scores(*ending: onnx.NodeProto) -> onnx.ModelProto:
    """A classifier whose scores are about 9 for all, with a softmax as its last layer but for `ending`."""
    nodes = [
        make("Conv", ["x", "w"], ["c"], name="conv"),
        make("GlobalAveragePool", ["c"], ["g"], name="mean"),
        make("Flatten", ["g"], ["f"], name="flat"),
        make("Gemm", ["f", "w3", "b3"], ["l"], name="classifier"),
        *ending,
    ]
    constants = {
        "w": RNG.standard_normal((8, 4, 3, 3)).astype(np.float32),
        "w3": RNG.standard_normal((8, 5)).astype(np.float32),
        "b3": np.full(5, 9, np.float32),
    }
    return build_model(
        nodes, {"x": np.zeros(IMAGE, np.float32)}, constants, [(ending[-1] if ending else nodes[-1]).output[0]]
    )


SOFTMAX = make("Softmax", ["l"], ["s"], name="softmax", axis=1)


def test_what_all_scores_share_is_no_signal_to_a_softmax(tmp_path: Path) -> None:
    model = loaded(scores(SOFTMAX), tmp_path)
    data = RNG.standard_normal((SAMPLES, *IMAGE[1:])).astype(np.float32)
    sensitivity = quantized(model, PlanPolicy(everything="int8"), {"x": data}).sensitivity
    program = Program(compile_program(model.module, load_target("host")))
    logarithms = np.log(np.concatenate([program(sample[None])[0] for sample in data]).astype(np.float64))
    centred = logarithms - logarithms.mean(axis=1, keepdims=True)
    classifier = next(layer for layer in sensitivity.layers if layer.name == "classifier")
    assert sensitivity.signal == "output - mean"
    assert classifier.mse is not None and classifier.normalized_mse is not None
    whole = classifier.elements * classifier.mse / classifier.normalized_mse
    assert sensitivity.signal_share == pytest.approx(float(np.sum(centred**2)) / whole, rel=1e-3)
    assert sensitivity.signal_share < 0.5


def test_what_all_scores_share_is_no_noise_to_a_softmax(tmp_path: Path) -> None:
    """Of each of two outputs by itself: the scores of one, and the other as it is."""
    found = quantize(
        model := loaded(two_heads(), tmp_path),
        SampleSet.open({"x": RNG.standard_normal((SAMPLES, *IMAGE[1:])).astype(np.float32)}, model.inputs),
        QuantizeOptions(),
        policy=PlanPolicy(everything="int8"),
    )
    assert [baseline.signal for baseline in model.network.baselines.values()] == ["output - mean"]
    assert found.verification is not None
    for part in found.verification.parts:
        assert part.predicted_db == pytest.approx(part.noise.sqnr_db, abs=0.1)
    assert found.sensitivity.signal == "output", "they differ"
    assert 0 < found.sensitivity.signal_share < 1


def two_heads() -> onnx.ModelProto:
    model = scores(SOFTMAX, make("Sigmoid", ["f"], ["q"], name="quality"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("s", onnx.TensorProto.FLOAT, None))
    return model


def baseline(model: onnx.ModelProto, folder: Path) -> str | None:
    found = loaded(model, folder)
    (signal,) = {each.signal for each in found.network.baselines.values()} or {None}
    return signal


def test_what_has_a_baseline(tmp_path: Path) -> None:
    assert baseline(convolutions(0.9), tmp_path) == "output - input"
    pool = make("GlobalAveragePool", ["y"], ["g"], name="mean")
    assert baseline(convolutions(0.9, ending=[pool], result="g"), tmp_path) is None, "fewer elements"
    assert baseline(scores(SOFTMAX), tmp_path) == "output - mean"
    of_channels = [pool, make("Softmax", ["g"], ["s"], name="softmax", axis=1)]
    assert baseline(convolutions(0.9, ending=of_channels, result="s"), tmp_path) == "output - mean"
    assert baseline(scores(), tmp_path) is None, "whatever reads the scores may look at their mean"
    both = scores(SOFTMAX, make("Add", ["l", "s"], ["y"], name="sum"))
    assert baseline(both, tmp_path) is None, "the scores themselves are read as well"
    two_inputs = build_model(
        [make("Conv", ["x", "w1"], ["c"], name="conv"), make("Add", ["c", "z"], ["y"], name="sum")],
        {"x": np.zeros(IMAGE, np.float32), "z": np.zeros(IMAGE, np.float32)},
        {"w1": near_identity(1.0)["w1"]},
        ["y"],
    )
    assert baseline(two_inputs, tmp_path) is None, "two inputs"


INPUT = ("decoder", RESIDUAL)


@pytest.mark.parametrize(("residual", "share"), [(25.0, 0.25), (0.0, 1.0), (100.0, 1.0), (180.0, 1.0)])
def test_noise_is_compared_with_the_smaller_of_two_signals(tmp_path: Path, residual: float, share: float) -> None:
    """A network that copies its input has no residual, and one that has nothing to do with it has a large one."""
    model = loaded(convolutions(0.9), tmp_path)
    measured = {("decoder", ACCUMULATED): ErrorEnergy(100.0, 1.0, 1.0), INPUT: ErrorEnergy(residual, 1.0)}
    budget = noise_at_output(model, Measurement(measured))
    assert (budget.signal, budget.signal_share) == ("output - input" if share < 1 else "output", share)


def test_all_noise_scales(tmp_path: Path) -> None:
    model = loaded(convolutions(0.9), tmp_path)
    noise = {"encoder": (2.0, 0.5), "decoder": (1.0, 1.0)}
    measured: dict[tuple[str, Noise], ErrorEnergy] = {("decoder", ACCUMULATED): ErrorEnergy(100.0, 3.0, 1.0)}
    for name, (alone, removed) in noise.items():
        measured[name, PROJECTED] = ErrorEnergy(alone, removed, 1.0)
        measured[name, PROJECTED_LANES] = ErrorEnergy(alone, 0.0, 1.0)
    output, budget = (
        noise_at_output(model, Measurement(measured | residual, (measured,)))
        for residual in ({}, {INPUT: ErrorEnergy(25.0, 3.0)})
    )
    for name in noise:
        assert budget.own[name] == pytest.approx(4 * output.own[name])
        assert budget.alone[name] == pytest.approx(4 * output.alone[name])
    assert budget.total == pytest.approx(4 * output.total) and output.total > 0
