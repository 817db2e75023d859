"""Small graphs as exporters write them: folding, attention-like products, decomposed layers."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import helper

from quantune_mlir.importers.onnx import import_onnx
from tests.onnx_models import OneNode, assert_like_onnxruntime, build_model, reference
from tests.support import run_module

RNG = np.random.default_rng(5)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def ops(model: onnx.ModelProto) -> set[str]:
    module = import_onnx(model)
    return {op.operation.name for op in next(iter(module.body)).regions[0].blocks[0]}


def assert_same(model: onnx.ModelProto, **inputs: np.ndarray) -> None:
    for got, wanted in zip(run_module(import_onnx(model), *inputs.values()), reference(model, inputs), strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_gelu_written_with_erf() -> None:
    x = normal(2, 3, 8)
    nodes = [
        helper.make_node("Div", ["x", "root"], ["a"]),
        helper.make_node("Erf", ["a"], ["b"]),
        helper.make_node("Add", ["b", "one"], ["c"]),
        helper.make_node("Mul", ["x", "c"], ["d"]),
        helper.make_node("Mul", ["d", "half"], ["y"]),
    ]
    constants = {"root": np.float32(math.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)}
    assert_same(build_model(nodes, {"x": x}, constants, ["y"], opset=13), x=x)


def test_layer_norm_written_with_reductions() -> None:
    x = normal(2, 5, 16)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[-1]),
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Pow", ["centred", "two"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["variance"], axes=[-1]),
        helper.make_node("Add", ["variance", "epsilon"], ["shifted"]),
        helper.make_node("Sqrt", ["shifted"], ["deviation"]),
        helper.make_node("Div", ["centred", "deviation"], ["y"]),
    ]
    constants = {"two": np.float32(2), "epsilon": np.float32(1e-5)}
    assert_same(build_model(nodes, {"x": x}, constants, ["y"], opset=13), x=x)


def test_shape_arithmetic_is_folded() -> None:
    """x.view(x.size(0), -1) as PyTorch exports it."""
    x = normal(2, 3, 4)
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["size"], axis=0),
        helper.make_node("Unsqueeze", ["size", "zeros"], ["first"]),
        helper.make_node("Concat", ["first", "minus"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["y"]),
    ]
    constants = {"zero": np.int64(0), "zeros": np.array([0], np.int64), "minus": np.array([-1], np.int64)}
    model = build_model(nodes, {"x": x}, constants, ["y"])
    assert ops(model) == {"tosa.const_shape", "tosa.reshape", "func.return"}
    assert_same(model, x=x)


def test_constant_subgraph_is_folded() -> None:
    x = normal(4)
    nodes = [
        helper.make_node("ConstantOfShape", ["n"], ["zeros"]),
        helper.make_node("Exp", ["zeros"], ["ones"]),
        helper.make_node("Add", ["ones", "ones"], ["twos"]),
        helper.make_node("Mul", ["x", "twos"], ["y"]),
    ]
    model = build_model(nodes, {"x": x}, {"n": np.array([4], np.int64)}, ["y", "twos"])
    assert ops(model) == {"tosa.const", "tosa.mul", "func.return"}
    assert_same(model, x=x)


def test_matrix_products() -> None:
    assert_like_onnxruntime(
        {
            "2-D constant": OneNode("MatMul", {"x": normal(3, 4)}, {"w": normal(4, 5)}),
            "2-D computed": OneNode("MatMul", {"x": normal(3, 4), "w": normal(4, 5)}),
            "batched by constant": OneNode("MatMul", {"x": normal(2, 3, 4)}, {"w": normal(4, 5)}),
            "batched": OneNode("MatMul", {"x": normal(2, 3, 4, 5), "w": normal(2, 3, 5, 6)}),
            "broadcast": OneNode("MatMul", {"x": normal(2, 1, 4, 5), "w": normal(3, 5, 6)}),
            "batched constant": OneNode("MatMul", {"x": normal(4, 5)}, {"w": normal(3, 5, 6)}),
            "constant on the left": OneNode("MatMul", {"x": normal(4, 5)}, {"w": normal(3, 4)}, order=("w", "x")),
            "vector right": OneNode("MatMul", {"x": normal(2, 3, 4), "w": normal(4)}),
            "vector left": OneNode("MatMul", {"x": normal(4), "w": normal(2, 4, 3)}),
            "vectors": OneNode("MatMul", {"x": normal(4), "w": normal(4)}),
            "int32": OneNode(
                "MatMul", {"x": np.arange(6, dtype=np.int32).reshape(2, 3), "w": np.eye(3, dtype=np.int32)}
            ),
        }
    )


@pytest.mark.parametrize("op_type", ["Conv", "Gemm", "MatMul"])
def test_products_with_constants_become_convolutions(op_type: str) -> None:
    shape, weights = ((1, 4, 3, 3), (5, 4, 1, 1)) if op_type == "Conv" else ((3, 4), (4, 5))
    used = ops(OneNode(op_type, {"x": normal(*shape)}, {"w": normal(*weights)}).model())
    assert "tosa.conv2d" in used
    assert "tosa.matmul" not in used


def test_subsampling_is_one_pool() -> None:
    """x[:, :, ::2, ::2], the parameter-free shortcut of CIFAR ResNets."""
    bounds = {k: np.array(v, np.int64) for k, v in (("s", [0, 0]), ("e", [8, 8]), ("a", [2, 3]), ("t", [2, 2]))}
    used = ops(OneNode("Slice", {"x": normal(1, 3, 8, 8)}, bounds).model())
    assert "tosa.max_pool2d" in used
    assert "tosa.gather" not in used


def test_activations() -> None:
    x = np.concatenate([normal(50) * 4, np.array([0, -0.0, 3, -3, 6, 1e-8], np.float32)])
    assert_like_onnxruntime(
        {
            "LeakyRelu": OneNode("LeakyRelu", {"x": x}, attributes={"alpha": 0.1}),
            "LeakyRelu, steep": OneNode("LeakyRelu", {"x": x}, attributes={"alpha": 1.7}),
            "LeakyRelu, negative": OneNode("LeakyRelu", {"x": x}, attributes={"alpha": -0.3}),
            "Elu": OneNode("Elu", {"x": x}, attributes={"alpha": 0.7}),
            "PRelu": OneNode("PRelu", {"x": normal(1, 3, 4, 4)}, {"slope": normal(3, 1, 1)}, opset=16),
            "HardSigmoid": OneNode("HardSigmoid", {"x": x}, attributes={"alpha": 0.25, "beta": 0.4}),
            "HardSwish": OneNode("HardSwish", {"x": x}, opset=14),
            "Sigmoid": OneNode("Sigmoid", {"x": x}),
            "Tanh": OneNode("Tanh", {"x": x}),
            "Erf": OneNode("Erf", {"x": x}),
            "Gelu": OneNode("Gelu", {"x": x}, opset=20),
            "Gelu, tanh": OneNode("Gelu", {"x": x}, attributes={"approximate": "tanh"}, opset=20),
            "Relu": OneNode("Relu", {"x": x}),
            "Sqrt": OneNode("Sqrt", {"x": np.array([0, 1e-30, 4, np.inf], np.float32)}),
        }
    )


def test_gather() -> None:
    def picks(*values: int) -> np.ndarray:
        return np.array(values, np.int64)

    x = normal(4, 5, 3)
    assert_like_onnxruntime(
        {
            "constant": OneNode("Gather", {"x": x}, {"i": picks(3, 0, -1)}, attributes={"axis": 1}),
            "scalar": OneNode("Gather", {"x": x}, {"i": np.int64(-2)}, attributes={"axis": 0}),
            "contiguous": OneNode("Gather", {"x": x}, {"i": picks(1, 2)}, attributes={"axis": 2}),
            "matrix": OneNode("Gather", {"x": x}, {"i": picks(3, 0, -1, 1).reshape(2, 2)}, attributes={"axis": 1}),
            "embedding": OneNode("Gather", {"i": picks(3, -4, 0)}, {"table": x[:, 0]}, order=("table", "i")),
            "run time": OneNode("Gather", {"x": x, "i": picks(-1, 0, 2)}, attributes={"axis": 2}),
        }
    )


@pytest.mark.parametrize("least", [-np.inf, np.finfo(np.float32).min])
def test_masks_before_a_softmax(least: float) -> None:
    """Added twice, as some exporters do: nothing on the way is infinite, and the softmax is the same."""
    mask = np.triu(np.full((5, 5), least, np.float32), 1)
    nodes = [
        helper.make_node("Add", ["x", "mask"], ["a"]),
        helper.make_node("Where", ["keep", "a", "least"], ["b"]),
        helper.make_node("Add", ["b", "mask"], ["c"]),
        helper.make_node("Softmax", ["c"], ["y"]),
    ]
    constants = {"mask": mask, "keep": np.tri(5, dtype=np.bool_), "least": np.float32(least)}
    x = normal(2, 5, 5) * 10
    model = build_model(nodes, {"x": x}, constants, ["y"], opset=13)
    assert_same(model, x=x)
    (scores,) = run_module(import_onnx(build_model(nodes[:3], {"x": x}, constants, ["c"], opset=13)), x)
    assert np.isfinite(scores).all()


def test_borders_that_a_softmax_leaves_out() -> None:
    """Of what stands beside a largest value, some may be beyond the end: nothing on the way is infinite."""
    nodes = [
        helper.make_node("Pad", ["x", "pads", "least"], ["padded"]),
        helper.make_node("Softmax", ["padded"], ["y"]),
    ]
    x, constants = normal(2, 4), {"pads": np.array([0, 1, 0, 1]), "least": np.float32(-np.inf)}
    assert_same(build_model(nodes, {"x": x}, constants, ["y"], opset=13), x=x)
    (padded,) = run_module(import_onnx(build_model(nodes[:1], {"x": x}, constants, ["padded"], opset=13)), x)
    assert np.isfinite(padded).all()


def test_rows_that_are_masked_throughout() -> None:
    """Exporters look for the NaN that a softmax makes of them, or for a largest score of minus infinity."""
    x, keep = normal(3, 4), np.array([[True] * 4, [False] * 4, [True, False, True, False]])
    nodes = [
        helper.make_node("Where", ["keep", "x", "least"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["p"]),
        helper.make_node("IsNaN", ["p"], ["bad"]),
        helper.make_node("Where", ["bad", "zero", "p"], ["y"]),
        helper.make_node("ReduceMax", ["scores"], ["most"], axes=[-1]),
        helper.make_node("Equal", ["most", "least"], ["masked"]),
        helper.make_node("IsInf", ["most"], ["infinite"]),
    ]
    constants = {"least": np.float32(-np.inf), "zero": np.float32(0)}
    model = build_model(nodes, {"x": x, "keep": keep}, constants, ["y", "masked", "infinite"])
    assert_same(model, x=x, keep=keep)
