"""Reductions over axes, and ArgMax and ArgMin."""

from __future__ import annotations

import math

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.shapes import normalized_axes, normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.element_types import converted, narrowed, widened
from quantune_mlir.importers.onnx.ops.pooling import mean_image
from quantune_mlir.importers.onnx.ops.powers import sqrt

_ORDERED = tuple(np.dtype(t) for t in (np.float32, np.float16, np.int8, np.int16))
_AXES_INPUT_SINCE = {"ReduceSum": 13}
_OPS = {
    "ReduceSum": "sum",
    "ReduceMean": "sum",
    "ReduceProd": "product",
    "ReduceMax": "max",
    "ReduceMin": "min",
}


@operator(*_OPS)
def reduction(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    axes = _reduced_axes(node, x.rank)
    shape = [1 if i in axes else s for i, s in enumerate(x.shape)]
    if not node.attribute("keepdims", 1):
        shape = [s for i, s in enumerate(x.shape) if i not in axes]
    if not axes:
        return x
    if node.op_type == "ReduceMean" and x.rank == 4 and axes == [2, 3] and x.is_float:
        image = b.transpose(x, (0, 2, 3, 1), layout=True)
        pooled = b.transpose(mean_image(b, image), (0, 3, 1, 2), layout=True)
        return b.reshape(pooled, shape)
    result = widened(b, x) if x.dtype != np.bool_ else converted(b, x, np.dtype(np.int32))
    for axis in axes:
        result = b.reduce(_OPS[node.op_type], result, axis)
    if node.op_type == "ReduceMean":
        if not x.is_float:
            raise Unsupported(f"element type {x.dtype}; f32 and f16 are supported")
        result = b.scaled(result, 1 / math.prod(x.shape[a] for a in axes))
    return b.reshape(_restored(b, result, x.dtype), shape)


@operator("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp")
def composed_reduction(b: Builder, node: Node) -> Tensor:
    """A sum of something, and a function of the sum; of exponentials with the largest taken out."""
    x = node.input(0)
    axes = _reduced_axes(node, x.rank)
    if not x.is_float and node.op_type not in ("ReduceL1", "ReduceSumSquare"):
        raise Unsupported(f"element type {x.dtype}; f32 and f16 are supported")
    terms, largest = widened(b, x), None
    if node.op_type == "ReduceL1":
        terms = b.unary("abs", terms)
    elif node.op_type in ("ReduceL2", "ReduceSumSquare"):
        terms = b.mul(terms, terms)
    elif node.op_type == "ReduceLogSumExp":
        largest = _over(b, "max", x, axes)
        terms = b.unary("exp", b.sub(x, largest))
    total = _over(b, "sum", terms, axes)
    if node.op_type == "ReduceL2":
        total = sqrt(b, total)
    elif node.op_type.startswith("ReduceLog"):
        total = b.unary("log", total)
    result = total if largest is None else b.add(total, largest)
    kept = [size for i, size in enumerate(result.shape) if node.attribute("keepdims", 1) or i not in axes]
    return b.reshape(narrowed(b, result, x.dtype), kept)


def _over(b: Builder, name: str, x: Tensor, axes: list[int]) -> Tensor:
    for axis in axes:
        x = b.reduce(name, x, axis)
    return x


def _restored(b: Builder, x: Tensor, dtype: np.dtype) -> Tensor:
    return converted(b, x, dtype) if dtype == np.bool_ else narrowed(b, x, dtype)


def _reduced_axes(node: Node, rank: int) -> list[int]:
    """The axes to reduce: an attribute at first, an input since opset 18 (ReduceSum: 13); all where not given."""
    if node.opset >= _AXES_INPUT_SINCE.get(node.op_type, 18):
        axes = node.integers_input(1, "axes")
    else:
        axes = node.attribute("axes")
    if not axes:
        return [] if node.attribute("noop_with_empty_axes", 0) else list(range(rank))
    return normalized_axes(axes, rank)


@operator("ArgMax", "ArgMin")
def arg_extremum(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    axis = normalized_axis(node.attribute("axis", 0), x.rank)
    size = x.shape[axis]
    if not x.is_float and (node.op_type == "ArgMin" or x.dtype not in _ORDERED):
        wide = widened(b, x)
        extremum = b.reduce("max" if node.op_type == "ArgMax" else "min", wide, axis)
        x = converted(b, b.compare("equal", wide, extremum), np.dtype(np.int8))
    elif node.op_type == "ArgMin":
        x = b.negate(x)
    last = bool(node.attribute("select_last_index", 0))
    index = b.argmax(b.reverse(x, axis) if last else x, axis)
    if last:
        index = b.sub(b.splat(size - 1, np.int32, index.rank), index)
    if node.attribute("keepdims", 1):
        index = b.reshape(index, [1 if i == axis else s for i, s in enumerate(x.shape)])
    return b.cast(index, np.int64)
