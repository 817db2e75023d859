"""Builders of fp32 TOSA that infer the result's shape. All build at the current insertion point and location."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from quantune_mlir.mlir.bindings import ir, tosa
from quantune_mlir.mlir.constants import constant, shape_constant
from quantune_mlir.mlir.edit import shape_of


def kind_of(shape: Sequence[int], element: ir.Type | None = None) -> ir.RankedTensorType:
    """The type of a tensor, of fp32 if nothing else is said."""
    return ir.RankedTensorType.get(list(shape), element or ir.F32Type.get())


def number(value: ArrayLike) -> ir.Value:
    """A constant of fp32."""
    return constant(np.asarray(value, np.float32))


def binary(op: type[ir.OpView], a: ir.Value, b: ir.Value) -> ir.Value:
    """tosa.AddOp and its kin; the operands broadcast."""
    shape = np.broadcast_shapes(shape_of(a), shape_of(b))
    shift = [constant(np.zeros(1, np.int8))] if op is tosa.MulOp else []
    return op(kind_of(shape), a, b, *shift).result


def multiply(a: ir.Value, b: ir.Value) -> ir.Value:
    """a * b."""
    return binary(tosa.MulOp, a, b)


def greater(a: ir.Value, b: ir.Value) -> ir.Value:
    """a > b, as i1."""
    shape = np.broadcast_shapes(shape_of(a), shape_of(b))
    return tosa.GreaterOp(kind_of(shape, ir.IntegerType.get_signless(1)), a, b).result


def select(condition: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    """Elements of `a` where `condition`, of `b` elsewhere."""
    shape = np.broadcast_shapes(shape_of(condition), shape_of(a), shape_of(b))
    return tosa.SelectOp(kind_of(shape), condition, a, b).result


def mean_along(value: ir.Value, axis: int) -> ir.Value:
    """Of each element, the mean of all along the axis."""
    shape = shape_of(value)
    total = kind_of([1 if i == axis else size for i, size in enumerate(shape)])
    mean = multiply(
        tosa.ReduceSumOp(value, axis, results=[total]).result, number(np.full([1] * len(shape), 1 / shape[axis]))
    )
    return binary(tosa.AddOp, number(np.zeros(shape)), mean)


def reshape(value: ir.Value, shape: Sequence[int]) -> ir.Value:
    """The same elements in another shape."""
    if tuple(shape) == shape_of(value):
        return value
    return tosa.ReshapeOp(value, shape_constant(shape), results=[kind_of(shape)]).result


def transpose(value: ir.Value, permutation: Sequence[int]) -> ir.Value:
    """Axis i of the result is axis permutation[i] of the value."""
    shape = [shape_of(value)[axis] for axis in permutation]
    return tosa.TransposeOp(kind_of(shape), value, ir.DenseI32ArrayAttr.get(list(permutation))).result


def reverse(value: ir.Value, axis: int) -> ir.Value:
    """The same elements, along the axis from the last to the first."""
    return tosa.ReverseOp(value.type, value, axis).result if shape_of(value)[axis] > 1 else value


def pad(value: ir.Value, pairs: Sequence[tuple[int, int]]) -> ir.Value:
    """So many zeros before and after each axis."""
    if not any(map(any, pairs)):
        return value
    shape = [before + size + after for size, (before, after) in zip(shape_of(value), pairs, strict=True)]
    amounts = shape_constant([amount for pair in pairs for amount in pair])
    return tosa.PadOp(kind_of(shape), value, amounts, number([0.0])).result


def cut(value: ir.Value, starts: Sequence[int], sizes: Sequence[int]) -> ir.Value:
    """The part of `value` from `starts` on."""
    if tuple(sizes) == shape_of(value):
        return value
    return tosa.SliceOp(kind_of(sizes), value, shape_constant(starts), shape_constant(sizes)).result


def window(value: ir.Value, starts: Sequence[int], sizes: Sequence[int]) -> ir.Value:
    """The part of `value` from `starts` on, of so many elements each; 0 where there is nothing."""
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    inside = [(max(a, 0), min(b, size)) for a, b, size in zip(starts, ends, shape_of(value), strict=True)]
    part = cut(value, [first for first, _ in inside], [last - first for first, last in inside])
    pairs = [(first - a, b - last) for a, b, (first, last) in zip(starts, ends, inside, strict=True)]
    return pad(part, pairs)


def broadcast_axes(value: ir.Value, result: ir.Value) -> list[int]:
    """The axes along which a value was repeated to become of a result's shape; both have as many."""
    return [i for i, size in enumerate(shape_of(value)) if size != shape_of(result)[i]]


def matmul(a: ir.Value, b: ir.Value) -> ir.Value:
    """[N, H, C] times [N, C, W]."""
    zero = number([0.0])
    return tosa.MatMulOp(kind_of((*shape_of(a)[:2], shape_of(b)[2])), a, b, zero, zero).result


def total(value: ir.Value, axes: Sequence[int]) -> ir.Value:
    """The sum along axes, which stay with size one."""
    for axis in axes:
        shape = list(shape_of(value))
        shape[axis] = 1
        value = tosa.ReduceSumOp(value, axis, results=[kind_of(shape)]).result
    return value


def convolve(
    op: type[ir.OpView],
    x: ir.Value,
    weights: ir.Value,
    shape: Sequence[int],
    pads: Sequence[int],
    dilation: Sequence[int],
    stride: Sequence[int] = (1, 1),
) -> ir.Value:
    """tosa.Conv2DOp or DepthwiseConv2DOp without bias; `pads` are top, bottom, left, right."""
    zero = number([0.0])
    integers = (ir.DenseI64ArrayAttr.get([int(v) for v in values]) for values in (pads, stride, dilation))
    accumulator = ir.TypeAttr.get(ir.F32Type.get())
    return op(kind_of(shape), x, weights, zero, zero, zero, *integers, accumulator).result
