"""Builders of fp32 TOSA with what adjoints need often. All build at the current insertion point and location."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.build import elementwise


def number(value: ArrayLike) -> ir.Value:
    """A constant of fp32."""
    return constant(np.asarray(value, np.float32))


def add(a: ir.Value, b: ir.Value) -> ir.Value:
    """a + b."""
    return elementwise("add", a, b)


def subtract(a: ir.Value, b: ir.Value) -> ir.Value:
    """a - b."""
    return elementwise("sub", a, b)


def multiply(a: ir.Value, b: ir.Value) -> ir.Value:
    """a * b."""
    return build.mul(a, b)


def greater(a: ir.Value, b: ir.Value) -> ir.Value:
    """a > b, as i1."""
    return elementwise("greater", a, b)


def select(condition: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    """Elements of `a` where `condition`, of `b` elsewhere."""
    return elementwise("select", condition, a, b)


def absolute(x: ir.Value) -> ir.Value:
    """|x|."""
    return elementwise("abs", x)


def mean_along(value: ir.Value, axis: int) -> ir.Value:
    """The mean of all along the axis, for each element."""
    shape = shape_of(value)
    mean = multiply(build.reduce("sum", value, axis), number(np.full([1] * len(shape), 1 / shape[axis])))
    return add(number(np.zeros(shape)), mean)


def along_channels(value: ir.Value, numbers: ArrayLike) -> ir.Value:
    """A constant with a number for each channel of a value, along its last axis."""
    return number(np.reshape(numbers, (*(1,) * (len(shape_of(value)) - 1), -1)))


def reshape(value: ir.Value, shape: Sequence[int]) -> ir.Value:
    """The same elements in another shape."""
    return value if tuple(shape) == shape_of(value) else build.reshape(value, shape)


def transpose(value: ir.Value, permutation: Sequence[int]) -> ir.Value:
    """Axis i of the result is axis permutation[i] of the value."""
    shape = shape_of(value)
    if sorted(moved := [axis for axis in permutation if shape[axis] > 1]) == moved:
        return reshape(value, [shape[axis] for axis in permutation])
    return build.transpose(value, permutation)


def reverse(value: ir.Value, axis: int) -> ir.Value:
    """The same elements, along the axis from the last to the first."""
    return build.reverse(value, axis) if shape_of(value)[axis] > 1 else value


def pad(value: ir.Value, pairs: Sequence[tuple[int, int]]) -> ir.Value:
    """So many zeros before and after each axis."""
    if not any(map(any, pairs)):
        return value
    return build.pad(value, [amount for pair in pairs for amount in pair], number([0.0]))


def cut(value: ir.Value, starts: Sequence[int], sizes: Sequence[int]) -> ir.Value:
    """The part of `value` from `starts` on."""
    return value if tuple(sizes) == shape_of(value) else build.cut(value, starts, sizes)


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
    return build.matmul(a, b, (zero, zero))


def total(value: ir.Value, axes: Sequence[int]) -> ir.Value:
    """The sum along axes, which stay with size one."""
    for axis in axes:
        value = build.reduce("sum", value, axis)
    return value


def convolve(
    name: str,
    x: ir.Value,
    weights: ir.Value,
    shape: Sequence[int],
    pads: Sequence[int],
    dilation: Sequence[int],
    stride: Sequence[int] = (1, 1),
) -> ir.Value:
    """tosa.`name`, conv2d or depthwise_conv2d, without bias; `pads` are top, bottom, left, right."""
    zero = number([0.0])
    window = build.integers(pad=pads, stride=stride, dilation=dilation)
    f32 = ir.F32Type.get()
    return build.convolution(name, [x, weights, zero], (zero, zero), shape, f32, f32, window)
