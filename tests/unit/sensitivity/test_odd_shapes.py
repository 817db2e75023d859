"""Networks that are small but odd go through both runs, and come out as a program that computes what they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

import quantune_mlir as qt
from quantune_mlir.numerics.formats import INT8
from tests.onnx_models import build_model, reference

SAMPLES = 6
make = onnx.helper.make_node


def quantized(path: Path, model: onnx.ModelProto, data: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """ONNX Runtime's results for the first sample, and those of the program with as much int8 as can be."""
    onnx.save(model, path)
    loaded = qt.Model.load(path)
    plan = qt.PrecisionPlan(format=1, default=INT8)
    result = qt.quantize(loaded, qt.SampleSet.open({"x": data}, loaded.inputs), plan=plan)
    return reference(model, {"x": data[:1]}), list(result.program()(data[:1]))


def assert_close(expected: list[np.ndarray], actual: list[np.ndarray], *, least_db: float) -> None:
    for wanted, found in zip(expected, actual, strict=True):
        noise = ((wanted - found) ** 2).sum() / (wanted**2).sum()
        assert -10 * np.log10(noise + 1e-20) > least_db


def test_softmax_of_what_is_observed_numbers_and_tables_of_one_value(tmp_path: Path) -> None:
    nodes = [
        make("Mul", ["x", "third"], ["scaled"], name="scale"),
        make("Softmax", ["scaled"], ["rows"], name="rows", axis=-1),
        make("MatMul", ["rows", "w"], ["mixed"], name="mix"),
        make("ReduceMax", ["mixed"], ["top"], name="top", keepdims=0),
        make("Sub", ["top", "third"], ["number"], name="number"),
        make("Mul", ["mixed", "tiny"], ["small"], name="small"),
        make("Sigmoid", ["small"], ["half"], name="half"),
        make("Concat", ["mixed", "half"], ["joined"], name="join", axis=2),
    ]
    rng = np.random.default_rng(3)
    constants = {
        "third": np.float32(1 / 3),
        "tiny": np.float32(1e-6),
        "w": rng.standard_normal((8, 4)).astype(np.float32),
    }
    model = build_model(nodes, {"x": np.zeros((1, 6, 8), np.float32)}, constants, ["rows", "number", "joined"])
    data = rng.standard_normal((SAMPLES, 6, 8)).astype(np.float32)
    assert_close(*quantized(tmp_path / "model.onnx", model, data), least_db=30)
