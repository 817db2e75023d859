"""Results that depend on all elements of an axis in order: TopK, Hardmax, CumSum and CumProd."""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.masks import LARGEST_MASK
from quantune_mlir.importers.common.shapes import normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.element_types import narrowed, widened
from quantune_mlir.importers.onnx.ops.indexing import elements_along

_MOST_WRITTEN_OUT: Final = 32
"""Elements that a TopK picks; more are a loop."""


@operator("TopK")
def top_k(b: Builder, node: Node) -> list[Tensor]:
    """The largest element, then that of the rest, k times: meant for few of many."""
    x = node.input(0)
    count = node.attribute("k") if node.opset < 10 else (node.integers_input(1, "k") or [0])[0]
    axis = normalized_axis(node.attribute("axis", -1), x.rank)
    if count == x.shape[axis] == 1:
        return [x, Tensor.constant(np.zeros(x.shape, np.int64))]
    if not x.is_float:
        raise Unsupported(f"element type {x.dtype}; floating-point numbers are supported")
    if not 0 < count <= x.shape[axis]:
        raise Unsupported(f"k = {count} of {x.shape[axis]}")
    rest = x if node.attribute("largest", 1) else b.negate(x)
    if count > _MOST_WRITTEN_OUT:
        return _picked_in_a_loop(b, x, rest, axis, count)
    values: list[Tensor] = []
    indices: list[Tensor] = []
    for _ in range(count):
        values.append(b.reduce("max", rest, axis))
        best = b.argmax(rest, axis)
        indices.append(b.reshape(best, values[-1].shape))
        if len(values) < count:
            rest = _without(b, rest, axis, indices[-1])
    picked = b.concat(values, axis)
    return [picked if node.attribute("largest", 1) else b.negate(picked), b.cast(b.concat(indices, axis), np.int64)]


def _picked_in_a_loop(b: Builder, x: Tensor, rest: Tensor, axis: int, count: int) -> list[Tensor]:
    """The same of many: each round of one loop yields an index, and values are gathered by them."""
    ones = [1 if i == axis else size for i, size in enumerate(x.shape)]
    rows = x.size // x.shape[axis]

    def step(inner: Builder, number: Tensor, states: list[Tensor], unchanged: list[Tensor]) -> list[Tensor]:
        best = _first_largest(inner, states[0], axis)
        return [inner.reshape(best, (1, rows)), _without(inner, states[0], axis, best)]

    found = b.stacked_rounds(count, [rest], [], step)
    apart = [*ones[:axis], *ones[axis + 1 :]]
    order = [*range(1, axis + 1), 0, *range(axis + 1, x.rank)]
    indices = b.transpose(b.reshape(found, (count, *apart)), order)
    return [elements_along(b, x, indices, axis), b.cast(indices, np.int64)]


def _first_largest(b: Builder, x: Tensor, axis: int) -> Tensor:
    """The index of the first maximum, with size one on the axis: an argmax of vectors in a loop, too."""
    places = b.broadcast_to(_places(x.shape, axis), x.shape)
    beyond = b.splat(x.shape[axis], np.int32, x.rank)
    return b.reduce("min", b.select(b.compare("equal", x, b.reduce("max", x, axis)), places, beyond), axis)


def _without(b: Builder, x: Tensor, axis: int, index: Tensor) -> Tensor:
    """`x` with the element at `index` less than all others."""
    return b.select(_is_at(b, x.shape, axis, index), b.splat(-LARGEST_MASK, x.dtype, x.rank), x)


def _is_at(b: Builder, shape: tuple[int, ...], axis: int, index: Tensor) -> Tensor:
    """Whether an element stands at `index`, int32 with size one on the axis."""
    return b.compare("equal", _places(shape, axis), index)


def _places(shape: tuple[int, ...], axis: int) -> Tensor:
    """Indices along an axis, with size one on the others."""
    return Tensor.constant(
        np.arange(shape[axis], dtype=np.int32).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    )


@operator("Hardmax", until=12)
def flattened_hard_max(b: Builder, node: Node) -> Tensor:
    """Before opset 13 one of all axes from `axis` on was chosen."""
    x = node.input(0)
    rows = prod(x.shape[: normalized_axis(node.attribute("axis", 1), x.rank)])
    return b.reshape(_hard_max(b, b.reshape(x, (rows, x.size // rows)), 1), x.shape)


@operator("Hardmax", since=13)
def hard_max(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    return _hard_max(b, x, normalized_axis(node.attribute("axis", -1), x.rank))


def _hard_max(b: Builder, x: Tensor, axis: int) -> Tensor:
    best = b.reshape(b.argmax(x, axis), [1 if i == axis else size for i, size in enumerate(x.shape)])
    one, zero = (b.splat(value, x.dtype, x.rank) for value in (1, 0))
    return b.select(_is_at(b, x.shape, axis, best), one, zero)


@operator("CumSum", "CumProd")
def cumulative(b: Builder, node: Node) -> Tensor:
    """In rounds: each adds (or multiplies by) what stands 1, 2, 4, ... places before."""
    x = widened(b, node.input(0))
    axis = normalized_axis((node.integers_input(1, "the axis") or [0])[0], x.rank)
    neutral, combine = (0, b.add) if node.op_type == "CumSum" else (1, b.mul)
    size = x.shape[axis]
    backwards = bool(node.attribute("reverse", 0))
    result = b.reverse(x, axis) if backwards else x
    if node.attribute("exclusive", 0):
        result = _shifted(b, result, axis, 1, neutral)
    distance = 1
    while distance < size:
        result = combine(result, _shifted(b, result, axis, distance, neutral))
        distance *= 2
    return narrowed(b, b.reverse(result, axis) if backwards else result, node.input(0).dtype)


def _shifted(b: Builder, x: Tensor, axis: int, distance: int, value: int) -> Tensor:
    """Each element `distance` places further; what comes in is `value`."""
    if distance >= x.shape[axis]:
        return Tensor.constant(np.full(x.shape, value, x.dtype))
    before = [distance if i == axis else 0 for i in range(x.rank)]
    return b.pad(b.slice_axis(x, axis, 0, x.shape[axis] - distance), before, [0] * x.rank, value)
