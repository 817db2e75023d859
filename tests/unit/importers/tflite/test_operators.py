"""Single operators of TensorFlow Lite, against LiteRT: compiled together, as one program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.importers.common.import_options import DEFAULT
from quantune_mlir.importers.tflite import import_tflite
from quantune_mlir.importers.tflite.flatbuffer import BrokenBuffer, FlatTable
from quantune_mlir.importers.tflite.model_file import ModelFile
from quantune_mlir.importers.tflite.sparse import dense_array
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.model import Model
from tests.onnx_models import combine
from tests.support import call, compile_module, load_program, run_module
from tests.tflite_models import RELU, RELU6, RELU_N1_TO_1, SAME, VALID, Graph, litert, sparse

RNG = np.random.default_rng(5)
Case = Callable[[Graph, int], list[int]]
WINDOW = {"padding": SAME, "strideH": 1, "strideW": 1}


def values(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def one(kind: str, shape: list[int], **options: object) -> Case:
    """The operator on the input alone."""
    return lambda g, x: [g.op(kind, [x], "y", shape, **options)]


def convolution(kind: str, weights: tuple[int, ...], shape: list[int], **options: object) -> Case:
    channels = weights[3] if kind.startswith("DEPTHWISE") else weights[0]
    w, b = values(*weights), values(channels)
    return lambda g, x: [g.op(kind, [x, g.constant("w", w), g.constant("b", b)], "y", shape, **{**WINDOW, **options})]


def with_constant(kind: str, constant: np.ndarray, shape: list[int], **options: object) -> Case:
    return lambda g, x: [g.op(kind, [x, g.constant("c", constant, constant.dtype)], "y", shape, **options)]


def halves(g: Graph, x: int) -> list[int]:
    outputs = [g.tensor(name, [1, 6, 6, 2]) for name in ("left", "right")]
    g.operator("SPLIT", [g.constant("axis", 3, np.int32), x], outputs, numSplits=2)
    return outputs


def filled(g: Graph, x: int) -> list[int]:
    twos = g.op(
        "FILL", [g.constant("shape", [1, 6, 6, 4], np.int32), g.constant("two", np.float32(2))], "twos", [1, 6, 6, 4]
    )
    return [g.op("DIV", [x, twos], "y", [1, 6, 6, 4])]


def transposed(g: Graph, x: int) -> list[int]:
    size = g.constant("size", [1, 12, 12, 3], np.int32)
    return [g.op("TRANSPOSE_CONV", [size, g.constant("w", W_TRANSPOSED), x], "y", [1, 12, 12, 3], **STRIDED)]


def resized(kind: str, height: int, width: int, **options: object) -> Case:
    return with_constant(kind, np.array([height, width], np.int32), [1, height, width, 4], **options)


W_TRANSPOSED = values(3, 3, 3, 4)
STRIDED = {"padding": SAME, "strideH": 2, "strideW": 2}
CASES: dict[str, Case] = {
    "convolution": convolution("CONV_2D", (5, 3, 3, 4), [1, 6, 6, 5], fusedActivationFunction=RELU_N1_TO_1),
    "strided": convolution("CONV_2D", (5, 1, 1, 4), [1, 3, 3, 5], **STRIDED),
    "dilated": convolution("CONV_2D", (5, 3, 3, 4), [1, 2, 2, 5], padding=VALID, dilationHFactor=2, dilationWFactor=2),
    "grouped": convolution("CONV_2D", (6, 3, 3, 2), [1, 6, 6, 6]),
    "depthwise": convolution("DEPTHWISE_CONV_2D", (1, 3, 3, 4), [1, 6, 6, 4], depthMultiplier=1),
    "depthwise x2": convolution("DEPTHWISE_CONV_2D", (1, 3, 3, 8), [1, 6, 6, 8], depthMultiplier=2),
    "transposed": transposed,
    "product": with_constant("MUL", values(4), [1, 6, 6, 4], fusedActivationFunction=RELU6),
    "prelu": with_constant("PRELU", values(1, 1, 4), [1, 6, 6, 4]),
    "leaky": one("LEAKY_RELU", [1, 6, 6, 4], alpha=0.1),
    "elu": one("ELU", [1, 6, 6, 4]),
    "hard swish": one("HARD_SWISH", [1, 6, 6, 4]),
    "sigmoid": one("LOGISTIC", [1, 6, 6, 4]),
    "gelu": one("GELU", [1, 6, 6, 4], approximate=False),
    "gelu by tanh": one("GELU", [1, 6, 6, 4], approximate=True),
    "softmax": one("SOFTMAX", [1, 6, 6, 4], beta=1.0),
    "average": one("AVERAGE_POOL_2D", [1, 3, 3, 4], **STRIDED, filterHeight=3, filterWidth=3),
    "largest": one("MAX_POOL_2D", [1, 3, 3, 4], **STRIDED, filterHeight=2, filterWidth=2),
    "pooling, rectified": one(
        "AVERAGE_POOL_2D",
        [1, 2, 2, 4],
        padding=VALID,
        strideH=2,
        strideW=2,
        filterHeight=3,
        filterWidth=3,
        fusedActivationFunction=RELU,
    ),
    "whole numbers": lambda g, x: [
        g.op("CAST", [x], "y", [1, 6, 6, 4], np.int32, inDataType=0, outDataType=2),
    ],
    "remainder": with_constant("FLOOR_MOD", np.float32(0.7), [1, 6, 6, 4]),
    "mean": with_constant("MEAN", np.array([1, 2], np.int32), [1, 4], keepDims=False),
    "bilinear": resized("RESIZE_BILINEAR", 12, 12, alignCorners=False, halfPixelCenters=True),
    "corners": resized("RESIZE_BILINEAR", 11, 16, alignCorners=True, halfPixelCenters=False),
    "nearest, centers": resized("RESIZE_NEAREST_NEIGHBOR", 12, 9, alignCorners=False, halfPixelCenters=True),
    "nearest, corners": resized("RESIZE_NEAREST_NEIGHBOR", 12, 9, alignCorners=True, halfPixelCenters=False),
    "nearest, smaller": resized("RESIZE_NEAREST_NEIGHBOR", 3, 4, alignCorners=False, halfPixelCenters=False),
    "nearest": resized("RESIZE_NEAREST_NEIGHBOR", 12, 18, alignCorners=False, halfPixelCenters=False),
    "padded": with_constant("PAD", np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32), [1, 9, 7, 4]),
    "turned": with_constant("TRANSPOSE", np.array([0, 3, 1, 2], np.int32), [1, 4, 6, 6]),
    "depth to space": one("DEPTH_TO_SPACE", [1, 12, 12, 1], blockSize=2),
    "two outputs": halves,
    "filled": filled,
}


def test_like_litert(tmp_path: Path) -> None:
    x = values(1, 6, 6, 4)
    context, paths, modules = make_context(), [], []
    for name, case in CASES.items():
        graph = Graph()
        paths.append(graph.save(tmp_path / f"{name}.tflite", *case(graph, graph.input("x", x.shape))))
        modules.append(import_tflite(paths[-1], DEFAULT, context))
    program = load_program(compile_module(combine(modules, context)))
    for index, (name, path) in enumerate(zip(CASES, paths, strict=True)):
        for got, wanted in zip(call(program, f"f{index}", (x,)), litert(path, x), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5, err_msg=name)


def test_transposed_convolution_with_bias_is_known(tmp_path: Path) -> None:
    """MediaPipe's own operator, which LiteRT has not: the same as a transposed convolution and an addition."""
    x, bias = values(1, 6, 6, 4), values(3)
    own, parts = Graph(), Graph()
    inputs = [own.input("x", x.shape), own.constant("w", W_TRANSPOSED), own.constant("b", bias)]
    y = own.tensor("y", [1, 12, 12, 3])
    own.operator("Convolution2DTransposeBias", inputs, [y], custom=np.array([1, 2, 2], "<i4").tobytes())
    (z,) = transposed(parts, parts.input("x", x.shape))
    wanted = parts.op("ADD", [z, parts.constant("b", bias)], "sum", [1, 12, 12, 3])
    model = Model.load(own.save(tmp_path / "own.tflite", y))
    assert [layer.name for layer in model.layers] == ["y"]
    (expected,) = litert(parts.save(tmp_path / "parts.tflite", wanted), x)
    np.testing.assert_allclose(run_module(model.module, x)[0], expected, rtol=1e-5, atol=1e-5)


def test_sparse_weights_are_made_dense(tmp_path: Path) -> None:
    x, weights = values(1, 8), np.where(RNG.random((5, 8)) < 0.3, values(5, 8), 0).astype(np.float32)
    graph = Graph()
    stored = graph.op("DENSIFY", [sparse(graph, "w", weights)], "dense", [5, 8])
    path = graph.save(
        tmp_path / "m.tflite",
        graph.op("FULLY_CONNECTED", [graph.input("x", x.shape), stored, graph.constant("b", np.zeros(5))], "y", [1, 5]),
    )
    model = Model.load(path)
    assert [layer.name for layer in model.layers] == ["y"]
    np.testing.assert_allclose(run_module(model.module, x)[0], x @ weights.T, rtol=1e-5, atol=1e-6)


def test_sparse_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    number = sparse(graph, "w", np.eye(3, dtype=np.float32))
    path = graph.save(tmp_path / "m.tflite", number)
    model = ModelFile(bytearray(path.read_bytes()))
    tensor = model.tensors[0]
    np.testing.assert_array_equal(dense_array(tensor.table, (3, 3), model.stored(tensor)), np.eye(3))
    for shape in ((3, 2), (2, 3), (3,), (3, 3, 1), (1 << 20, 1 << 20)):
        with pytest.raises(BrokenBuffer):
            dense_array(tensor.table, shape, model.stored(tensor))
    with pytest.raises(BrokenBuffer, match="values of a sparse"):
        dense_array(tensor.table, (3, 3), np.zeros(2, np.float32))


def test_tables_do_not_leave_the_buffer() -> None:
    with pytest.raises(BrokenBuffer):
        FlatTable.root(bytearray(b"\xff\xff\xff\x7fTFL3")).scalar(0, "I", 0)
    with pytest.raises(BrokenBuffer):
        FlatTable(bytearray(8), -4).array(0, np.int32)
