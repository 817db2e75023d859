"""What is told of a quantized model's roundings is what ONNX Runtime and NumPy find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from quantune_mlir.errors import ModelError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.passes.calibrate.shadow_qdq import saturating_clamp
from quantune_mlir.planning.sensitivity import LayerSensitivity
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.qdq_analysis import QdqAnalyzer
from tests.unit.importers.test_quantized import images, model_of, normal
from tests.unit.sensitivity.test_shards import HereWorkers

SCALES = {"x": (0.03, 128), "c1": (0.02, 0), "s": (0.05, 90), "t": (1 / 255, 0)}


def network(*, rounded: bool) -> onnx.ModelProto:
    """A ReLU that is left to saturation, a sum of int8 and fp32, an fp32 function between roundings."""
    node = helper.make_node
    arrays = {"w1_q": np.random.default_rng(2).integers(-127, 128, (8, 8, 3, 3)).astype(np.int8), "b2": normal(8)}
    arrays |= {"w1_s": np.full(8, 0.002, np.float32), "w1_z": np.zeros(8, np.int8), "w2": normal(8, 8, 1, 1)}
    for name, (scale, zero) in SCALES.items():
        arrays |= {f"{name}_s": np.array(scale, np.float32), f"{name}_z": np.array(zero, np.uint8)}

    def rounding(tensor: str, key: str) -> list[onnx.NodeProto]:
        params = [f"{key}_s", f"{key}_z"]
        if not rounded:
            return [node("Relu" if key == "c1" else "Identity", [tensor], [f"{key}_d"], f"{key}_same")]
        return [
            node("QuantizeLinear", [tensor, *params], [f"{key}_q"], f"{key}_q"),
            node("DequantizeLinear", [f"{key}_q", *params], [f"{key}_d"], f"{key}_dq"),
        ]

    nodes = [
        *rounding("x", "x"),
        node("DequantizeLinear", ["w1_q", "w1_s", "w1_z"], ["w1"], "w1_dq", axis=0),
        node("Conv", ["x_d", "w1"], ["c1_f"], "conv1", pads=[1, 1, 1, 1]),
        *rounding("c1_f", "c1"),
        node("Conv", ["c1_d", "w2", "b2"], ["c2_f"], "conv2"),
        node("Add", ["c2_f", "x_d"], ["sum_f"], "sum"),
        *rounding("sum_f", "s"),
        node("Softmax", ["s_d"], ["t_f"], "softmax", axis=1),
        *rounding("t_f", "t"),
    ]
    return model_of(nodes, arrays, outputs=["t_d"])


def tensors(model: onnx.ModelProto, x: NDArray[np.float32], names: list[str]) -> dict[str, NDArray[np.float32]]:
    for name in names:
        if name not in {output.name for output in model.graph.output}:
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = [session.run(names, {"x": sample[None]}) for sample in x]
    return {name: np.concatenate([run[i] for run in found]) for i, name in enumerate(names)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("qdq")
    onnx.save(network(rounded=True), folder / "qdq.onnx")
    return folder


def analyzed(folder: Path, workers: HereWorkers | None = None) -> dict[str, LayerSensitivity]:
    model = Model.rounded(folder / "qdq.onnx")
    samples = SampleSet.open({"x": images()}, model.inputs)
    found = QdqAnalyzer(model, load_target("host"), workers=workers).run(samples)
    assert found.samples == len(images())
    return {layer.name: layer for layer in found.layers}


def test_noise_is_that_of_onnx_runtime(folder: Path) -> None:
    layers = analyzed(folder)
    wanted = ["x_d", "c1_d", "c2_f", "sum_f", "s_d", "t_f", "t_d"]
    exact, rounded = (tensors(network(rounded=kind), images(), wanted) for kind in (False, True))
    ends = {
        "x_q": "x_d",
        "conv1": "c1_d",
        "conv2": "c2_f",
        "sum": "sum_f",
        "s_q": "s_d",
        "softmax": "t_f",
        "t_q": "t_d",
    }
    assert set(ends) <= set(layers) and layers["conv2"].local_sqnr_db is layers["sum"].local_sqnr_db is None
    for name, tensor in ends.items():
        energy = ErrorEnergy.of(exact[tensor], rounded[tensor])
        assert layers[name].activation_sqnr_db == pytest.approx(energy.sqnr_db, abs=0.1), name
    for name, key in (("conv1", "c1"), ("x_q", "x"), ("s_q", "s"), ("t_q", "t")):
        tensor = f"{key}_d"
        scale, zero = SCALES[key]
        codes = np.clip(np.rint(exact[tensor] / np.float32(scale)) + zero, 0, 255)
        energy = ErrorEnergy.of(exact[tensor], (codes - zero) * scale)
        assert layers[name].local_sqnr_db == pytest.approx(energy.sqnr_db, abs=0.05), name
    total = sum(layer.alone_normalized_mse or 0.0 for layer in layers.values())
    last = ErrorEnergy.of(exact["t_d"], rounded["t_d"])
    assert total == pytest.approx(last.normalized_mse, rel=0.05)


def test_workers_find_the_same(folder: Path) -> None:
    assert analyzed(folder, HereWorkers(2)) == analyzed(folder)


def test_an_fp32_model_has_no_roundings(tmp_path: Path) -> None:
    onnx.save(model_of([helper.make_node("Neg", ["x"], ["y"], "n")], {}), tmp_path / "fp32.onnx")
    with pytest.raises(ModelError, match="rounds nothing"):
        Model.rounded(tmp_path / "fp32.onnx")


def test_what_quantizers_leave_to_saturation() -> None:
    assert saturating_clamp(QuantParams(float(np.float32(6 / 255)), -128)) == (0.0, 6.0)
    assert saturating_clamp(QuantParams(0.5, -128))[0] == 0.0 and saturating_clamp(QuantParams(0.5, -128))[1] > 1e38
    assert saturating_clamp(QuantParams(0.5, -127))[0] < -1e38
