"""Operators whose signature changed between opsets, one case for each form, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

from tests.onnx_models import OneNode, assert_like_onnxruntime

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(7)
X = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)
CHANNELS = {n: RNG.uniform(0.5, 2, 3).astype(np.float32) for n in ("scale", "bias", "mean", "variance")}

REDUCTIONS = ("Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp")


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_clip() -> None:
    low, high = np.array(-0.5, np.float32), np.array(0.6, np.float32)
    assert_like_onnxruntime(
        {
            "6: attributes": OneNode("Clip", {"x": X}, attributes={"min": -0.5, "max": 0.6}, opset=7),
            "6: no minimum": OneNode("Clip", {"x": X}, attributes={"max": 0.6}, opset=10),
            "11: inputs": OneNode("Clip", {"x": X}, {"low": low, "high": high}, opset=11),
            "12: no minimum": OneNode("Clip", {"x": X}, {"high": high}, order=("x", "", "high"), opset=12),
            "13: run-time bounds": OneNode("Clip", {"x": X, "low": low}, opset=13),
            "13: int8": OneNode("Clip", {"x": np.arange(-9, 9, dtype=np.int8)}, {"low": np.int8(-3)}, opset=13),
        }
    )


def test_slice() -> None:
    assert_like_onnxruntime(
        {
            "1: attributes": OneNode(
                "Slice", {"x": X}, attributes={"starts": [1, -3], "ends": [3, 100], "axes": [1, 3]}, opset=9
            ),
            "1: no axes": OneNode("Slice", {"x": X}, attributes={"starts": [0, 1], "ends": [1, 3]}, opset=7),
            "10: steps": OneNode(
                "Slice",
                {"x": X},
                {"starts": ints(0, 1), "ends": ints(4, 5), "axes": ints(2, -1), "steps": ints(2, 2)},
                opset=10,
            ),
            "13: backwards": OneNode(
                "Slice",
                {"x": X},
                {"starts": ints(-1, 3), "ends": ints(-100, 0), "axes": ints(1, 3), "steps": ints(-2, -1)},
                opset=13,
            ),
            "13: steps over channels": OneNode(
                "Slice",
                {"x": X},
                {"starts": ints(0, 0), "ends": ints(3, 5), "axes": ints(1, 3), "steps": ints(2, 3)},
                opset=13,
            ),
        }
    )


def test_reductions() -> None:
    cases = {}
    for op_type, since in (("ReduceSum", 13), *((f"Reduce{name}", 18) for name in REDUCTIONS)):
        for keep in (0, 1):
            attributes = {"axes": [1, -1], "keepdims": keep}
            cases[f"{op_type} attribute {keep}"] = OneNode(op_type, {"x": X}, attributes=attributes, opset=since - 1)
            cases[f"{op_type} input {keep}"] = OneNode(
                op_type, {"x": X}, {"axes": ints(2, 3)}, attributes={"keepdims": keep}, opset=since
            )
        cases[f"{op_type} all"] = OneNode(op_type, {"x": X}, attributes={"keepdims": 0}, opset=since)
        cases[f"{op_type} none"] = OneNode(op_type, {"x": X}, attributes={"noop_with_empty_axes": 1}, opset=since)
    assert_like_onnxruntime(cases)


def test_softmax() -> None:
    assert_like_onnxruntime(
        {
            f"{op_type} {opset} {axis}": OneNode(op_type, {"x": X}, attributes={"axis": axis}, opset=opset)
            for op_type in ("Softmax", "LogSoftmax")
            for opset, axis in ((7, 1), (11, 2), (12, -1), (13, 1), (13, -1), (17, 0))
        }
        | {
            "11 default": OneNode("Softmax", {"x": X}, opset=11),
            "13 default": OneNode("Softmax", {"x": X}, opset=13),
            "11 one long axis": OneNode("Softmax", {"x": X[:, :, :1, :1]}, opset=11),
        }
    )


def test_squeeze_and_unsqueeze() -> None:
    x = X[:1, :, :1]
    assert_like_onnxruntime(
        {
            "squeeze attribute": OneNode("Squeeze", {"x": x}, attributes={"axes": [0, 2]}, opset=11),
            "squeeze input": OneNode("Squeeze", {"x": x}, {"axes": ints(-2)}, opset=13),
            "squeeze all": OneNode("Squeeze", {"x": x}, opset=13),
            "unsqueeze attribute": OneNode("Unsqueeze", {"x": x}, attributes={"axes": [0, 3]}, opset=7),
            "unsqueeze input": OneNode("Unsqueeze", {"x": x}, {"axes": ints(-1, 1)}, opset=21),
        }
    )


def test_batch_normalization() -> None:
    assert_like_onnxruntime(
        {
            f"{opset}": OneNode("BatchNormalization", {"x": X}, CHANNELS, attributes={"epsilon": 1e-3}, opset=opset)
            for opset in (7, 9, 14, 15)
        }
        | {"run-time statistics": OneNode("BatchNormalization", {"x": X, **CHANNELS}, opset=15)}
    )


def test_pad() -> None:
    pads = [0, 1, 2, 0, 1, 0, 1, 3]
    cases = {}
    for mode in ("constant", "reflect", "edge"):
        fitting = [0, 1, 2, 0, 0, 0, 1, 3] if mode == "reflect" else pads
        cases[f"2 {mode}"] = OneNode("Pad", {"x": X}, attributes={"pads": fitting, "mode": mode}, opset=10)
        cases[f"11 {mode}"] = OneNode("Pad", {"x": X}, {"pads": ints(*fitting)}, attributes={"mode": mode}, opset=11)
    cases["2 value"] = OneNode("Pad", {"x": X}, attributes={"pads": pads, "value": 1.5}, opset=7)
    cases["13 value"] = OneNode("Pad", {"x": X}, {"pads": ints(*pads), "value": np.float32(1.5)}, opset=13)
    cases["13 crop"] = OneNode("Pad", {"x": X}, {"pads": ints(0, -1, 1, -2, 0, 0, -1, 1)}, opset=13)
    cases["18 axes"] = OneNode(
        "Pad", {"x": X}, {"pads": ints(1, 2, 0, 1), "axes": ints(-1, 1)}, order=("x", "pads", "", "axes"), opset=18
    )
    assert_like_onnxruntime(cases)


def test_dropout() -> None:
    assert_like_onnxruntime(
        {
            "7": OneNode("Dropout", {"x": X}, attributes={"ratio": 0.3}, opset=7),
            "10": OneNode("Dropout", {"x": X}, opset=10),
            "12": OneNode("Dropout", {"x": X}, {"ratio": np.float32(0.3)}, opset=12),
            "13": OneNode(
                "Dropout",
                {"x": X},
                {"ratio": np.float32(0.3), "training": np.array(False)},
                outputs=("y", "mask"),
                opset=13,
            ),
        }
    )


def test_split() -> None:
    assert_like_onnxruntime(
        {
            "2 equal": OneNode("Split", {"x": X}, attributes={"axis": 2}, outputs=("a", "b"), opset=7),
            "11 sizes": OneNode(
                "Split", {"x": X}, attributes={"axis": 3, "split": [1, 4]}, outputs=("a", "b"), opset=11
            ),
            "13 sizes": OneNode(
                "Split", {"x": X}, {"split": ints(1, 2)}, attributes={"axis": 1}, outputs=("a", "b"), opset=13
            ),
            "18 uneven": OneNode(
                "Split", {"x": X}, attributes={"axis": -1, "num_outputs": 2}, outputs=("a", "b"), opset=18
            ),
        }
    )


def test_gemm_with_and_without_bias() -> None:
    a, w = RNG.standard_normal((3, 6)).astype(np.float32), RNG.standard_normal((6, 4)).astype(np.float32)
    bias = floats(1, 2, 3, 4)
    assert_like_onnxruntime(
        {
            "7": OneNode("Gemm", {"a": a}, {"w": w, "c": bias}, opset=7),
            "9 transposed, scaled": OneNode(
                "Gemm",
                {"a": a.T.copy()},
                {"w": w.T.copy(), "c": bias[None]},
                attributes={"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0},
                opset=9,
            ),
            "11 without bias": OneNode("Gemm", {"a": a}, {"w": w}, opset=11),
            "13 scalar bias": OneNode("Gemm", {"a": a}, {"w": w, "c": np.float32(2)}, opset=13),
            "13 bias for each row": OneNode("Gemm", {"a": a}, {"w": w, "c": floats(1, 2, 3)[:, None]}, opset=13),
            "13 all computed": OneNode("Gemm", {"a": a, "w": w, "c": bias}, attributes={"alpha": 0.5}, opset=13),
        }
    )


def test_cast() -> None:
    values = floats(-3.7, -1.5, -0.2, 0, 0.5, 1.5, 2.5, 99.9)
    assert_like_onnxruntime(
        {
            f"{opset} to {to}": OneNode("Cast", {"x": values}, attributes={"to": to}, opset=opset)
            for opset in (7, 9, 13, 19)
            for to in (1, 3, 6, 7, 9, 10)  # float, int8, int32, int64, bool, float16
        }
        | {
            "int64 to float": OneNode("Cast", {"x": ints(-5, 0, 7)}, attributes={"to": 1}, opset=13),
            "uint8 to float": OneNode("Cast", {"x": np.array([0, 127, 128, 255], np.uint8)}, attributes={"to": 1}),
            "bool to float": OneNode("Cast", {"x": np.array([True, False])}, attributes={"to": 1}, opset=13),
        }
    )
