"""Adjoints of convolutions and averages: a convolution of stride 1 with the kernel turned round.

The cotangent of a strided one is first spread, with zeros between its pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.adjoint import float_ops as ops
from quantune_mlir.ir.constants import constant_value
from quantune_mlir.ir.edit import shape_of
from quantune_mlir.ir.mlir import ir, tosa

_LOWEST: Final = float(np.finfo(np.float32).min)


def convolution_adjoint(op: ir.Operation, cotangent: ir.Value) -> ir.Value:
    """Of tosa.conv2d with weights [OC, KH, KW, IC]."""
    weights = constant_value(op.operands[1])
    assert weights is not None
    turned = weights[:, ::-1, ::-1, :].transpose(3, 1, 2, 0)
    spread, pads = _spread(op, cotangent, weights.shape[1:3], _pair(op, "dilation"))
    return ops.convolve(tosa.Conv2DOp, spread, turned, shape_of(op.operands[0]), pads, _pair(op, "dilation"))


def depthwise_adjoint(op: ir.Operation, cotangent: ir.Value) -> ir.Value:
    """Of tosa.depthwise_conv2d with weights [KH, KW, C, M]."""
    weights = constant_value(op.operands[1])
    assert weights is not None
    return _through_depthwise(op, cotangent, weights, _pair(op, "dilation"))


def average_adjoint(op: ir.Operation, cotangent: ir.Value) -> ir.Value:
    """Of tosa.avg_pool2d: each pixel's share of the windows that it is in, padding left out."""
    _, height, width, channels = shape_of(op.operands[0])
    kernel, stride, pads = (list(ir.DenseI64ArrayAttr(op.attributes[name])) for name in ("kernel", "stride", "pad"))
    starts = [
        np.arange(count) * step - pad
        for count, step, pad in zip(shape_of(cotangent)[1:3], stride, pads[::2], strict=True)
    ]
    sizes = [
        np.minimum(first + taps, size) - np.maximum(first, 0)
        for first, taps, size in zip(starts, kernel, (height, width), strict=True)
    ]
    shares = 1 / np.outer(*sizes)
    scaled = ops.multiply(cotangent, ops.number(shares.reshape(1, *shares.shape, 1)))
    return _through_depthwise(op, scaled, np.ones((*kernel, channels, 1), np.float32), (1, 1))


def maximum_adjoint(op: ir.Operation, cotangent: ir.Value) -> ir.Value:
    """Of tosa.max_pool2d: all to the largest element of each window; to each of them, if they are several."""
    (source,), (result,) = op.operands, op.results
    batch, height, width, channels = shape_of(source)
    (rows, columns), (down, right) = _pair(op, "kernel"), _pair(op, "stride")
    top, _, left, _ = ir.DenseI64ArrayAttr(op.attributes["pad"])
    high, wide = shape_of(cotangent)[1:3]
    whole_height, whole_width = rows - 1 + high * down, columns - 1 + wide * right
    below, beyond = whole_height - height - top, whole_width - width - left
    padded = ops.pad(source, [(0, 0), (top, max(below, 0)), (left, max(beyond, 0)), (0, 0)], _LOWEST)
    padded = ops.cut(padded, (0, 0, 0, 0), (batch, whole_height, whole_width, channels))
    zero = ops.number(np.zeros((1, 1, 1, 1)))
    found: ir.Value | None = None
    for row, column in np.ndindex(rows, columns):
        tap = ops.cut(padded, (0, row, column, 0), (batch, high * down, wide * right, channels))
        tap = ops.reshape(tap, (batch, high, down, wide, right, channels))
        tap = ops.reshape(ops.cut(tap, (0,) * 6, (batch, high, 1, wide, 1, channels)), shape_of(result))
        part = _apart(ops.select(ops.equal(tap, result), cotangent, zero), (down, right))
        part = ops.pad(part, [(0, 0), (row, rows - 1 - row), (column, columns - 1 - column), (0, 0)])
        found = part if found is None else ops.binary(tosa.AddOp, found, part)
    assert found is not None
    found = ops.pad(found, [(0, 0), (0, max(-below, 0)), (0, max(-beyond, 0)), (0, 0)])
    return ops.cut(found, (0, top, left, 0), shape_of(source))


def _through_depthwise(
    op: ir.Operation, cotangent: ir.Value, weights: NDArray[np.float32], dilation: tuple[int, int]
) -> ir.Value:
    rows, columns, channels, multiples = weights.shape
    turned = weights[::-1, ::-1].reshape(rows, columns, channels * multiples, 1)
    spread, pads = _spread(op, cotangent, (rows, columns), dilation)
    shape = shape_of(op.operands[0])
    found = ops.convolve(tosa.DepthwiseConv2DOp, spread, turned, (*shape[:3], channels * multiples), pads, dilation)
    if multiples > 1:
        found = ops.total(ops.reshape(found, (*shape, multiples)), [4])
    return ops.reshape(found, shape)


def _spread(
    op: ir.Operation, cotangent: ir.Value, kernel: Sequence[int], dilation: tuple[int, int]
) -> tuple[ir.Value, list[int]]:
    """The cotangent with zeros between its pixels, and the padding with which its convolution has the input's size."""
    batch, height, width, channels = shape_of(cotangent)
    (down, right), before = _pair(op, "stride"), list(ir.DenseI64ArrayAttr(op.attributes["pad"]))[::2]
    rows, columns = (height - 1) * down + 1, (width - 1) * right + 1
    if (down, right) != (1, 1):
        cotangent = ops.cut(_apart(cotangent, (down, right)), (0, 0, 0, 0), (batch, rows, columns, channels))
    pads: list[int] = []
    cuts: list[tuple[int, int]] = [(0, 0)]
    for size, spread, first, taps, gap in zip(
        shape_of(op.operands[0])[1:3], (rows, columns), before, kernel, dilation, strict=True
    ):
        reach = gap * (taps - 1)
        pair = (reach - first, size - spread + first)
        pads += [max(amount, 0) for amount in pair]
        cuts.append((max(-pair[0], 0), spread - max(-pair[0], 0) - max(-pair[1], 0)))
    cuts.append((0, channels))
    starts, sizes = zip(*cuts, strict=True)
    return ops.cut(cotangent, starts, (batch, *sizes[1:])), pads


def _apart(value: ir.Value, stride: tuple[int, int]) -> ir.Value:
    """[N, H * down, W * right, C]: zeros below and right of each pixel."""
    batch, height, width, channels = shape_of(value)
    down, right = stride
    apart = ops.reshape(value, (batch, height, 1, width, 1, channels))
    apart = ops.pad(apart, [(0, 0), (0, 0), (0, down - 1), (0, 0), (0, right - 1), (0, 0)])
    return ops.reshape(apart, (batch, height * down, width * right, channels))


def _pair(op: ir.Operation, name: str) -> tuple[int, int]:
    first, second = ir.DenseI64ArrayAttr(op.attributes[name])
    return first, second
