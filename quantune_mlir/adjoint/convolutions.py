"""Adjoints of what slides a window over an image and is linear: convolutions and averages.

Along one axis, output o reads the pixels i = stride o + tap - pad. So with i + pad = stride q + phase, pixel i is read
by the outputs o = q - d, through tap = stride d + phase, for d from 0 on. The pixels of one phase are a convolution of
stride 1 over the cotangent, and the phases interleaved are the image: nothing is spread with zeros first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from math import ceil

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.adjoint import float_ops as ops
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import shape_of


def convolution_adjoint(op: ir.Operation, cotangent: ir.Value) -> ir.Value:
    """The adjoint of tosa.conv2d with weights [OC, KH, KW, IC]: the phases are channels of one convolution."""
    weights, windows = _kernel(op, axes=(1, 2))
    used = [min(axis.stride, axis.taps) for axis in windows.axes]
    found = _convolve("conv2d", windows, cotangent, _by_phase(weights, windows, used))
    found = ops.reshape(found, (*shape_of(found)[:3], *used, shape_of(weights)[3]))
    unread = [(0, axis.stride - size) for axis, size in zip(windows.axes, used, strict=True)]
    found = ops.pad(found, [(0, 0), (0, 0), (0, 0), *unread, (0, 0)])
    return windows.image(ops.transpose(found, (0, 1, 3, 2, 4, 5)))


def _by_phase(weights: ir.Value, windows: _Windows, used: Sequence[int]) -> ir.Value:
    """[phases x phases x IC, entries, entries, OC]: of each phase its taps, backwards.

    By ops, which kernels see through: a constant, once made, stays in memory, and these are as large as the model.
    """
    rows, columns = windows.axes
    filters, *_, channels = shape_of(weights)
    missing = [axis.entries * size - axis.taps for axis, size in zip(windows.axes, used, strict=True)]
    padded = ops.pad(weights, [(0, 0), (0, missing[0]), (0, missing[1]), (0, 0)])
    parts = ops.reshape(padded, (filters, rows.entries, used[0], columns.entries, used[1], channels))
    turned = ops.transpose(ops.reverse(ops.reverse(parts, 1), 3), (2, 4, 5, 1, 3, 0))
    return ops.reshape(turned, (used[0] * used[1] * channels, rows.entries, columns.entries, filters))


def depthwise_adjoint(op: ir.Operation, cotangent: ir.Value) -> ir.Value:
    """The adjoint of tosa.depthwise_conv2d with weights [KH, KW, C, M]."""
    weights, windows = _kernel(op, axes=(0, 1))
    return _through_depthwise(op, windows, cotangent, _array(weights))


def transpose_convolution_adjoint(op: ir.Operation, cotangent: ir.Value) -> ir.Value:
    """The adjoint of tosa.transpose_conv2d with weights [OC, KH, KW, IC].

    Pixel i adds to the results stride i + tap + out_pad.
    """
    source, weights = op.operands[0], op.operands[1]
    top, _, left, _ = ir.DenseI64ArrayAttr(op.attributes["out_pad"])
    stride = list(ir.DenseI64ArrayAttr(op.attributes["stride"]))
    batch, *image, _ = shape_of(source)
    filters, *taps, _ = shape_of(weights)
    sizes = [(size - 1) * step + kernel for size, step, kernel in zip(image, stride, taps, strict=True)]
    reached = ops.window(cotangent, (0, top, left, 0), (batch, *sizes, filters))
    turned = ops.transpose(weights, (3, 1, 2, 0))
    return ops.convolve("conv2d", reached, turned, shape_of(source), (0, 0, 0, 0), (1, 1), stride)


def average_adjoint(op: ir.Operation, cotangent: ir.Value) -> ir.Value:
    """The adjoint of tosa.avg_pool2d: each pixel's share of the windows that it is in, padding left out."""
    taps, windows = _pooling(op)
    sizes: list[NDArray[np.int64]] = []
    for axis, count in zip(windows.axes, shape_of(cotangent)[1:3], strict=True):
        first = np.arange(count) * axis.stride - axis.pad
        sizes.append(np.minimum(first + axis.taps, axis.size) - np.maximum(first, 0))
    shares = 1 / np.outer(*sizes)
    scaled = ops.multiply(cotangent, ops.number(shares.reshape(1, *shares.shape, 1)))
    ones = np.ones((*taps, shape_of(cotangent)[3], 1), np.float32)
    return _through_depthwise(op, windows, scaled, ones)


@dataclass(frozen=True)
class _Axis:
    """Height or width of what an op with windows reads.

    Attributes:
        size: pixels.
        taps: of a window.
        stride: of the windows.
        pad: before the first pixel.
        dilation: distance of the taps; 1 where the stride is not.
    """

    size: int
    taps: int
    stride: int
    pad: int
    dilation: int = 1

    @property
    def entries(self) -> int:
        """Taps of each phase."""
        return ceil(self.taps / self.stride)

    @property
    def first(self) -> int:
        """The least q of a pixel."""
        return self.pad // self.stride

    @property
    def count(self) -> int:
        """The number of different q."""
        return ceil((self.pad + self.size) / self.stride) - self.first

    @property
    def before(self) -> int:
        """Places at the least q that lie before the first pixel."""
        return self.pad - self.first * self.stride

    def read(self, outputs: int) -> tuple[int, int, int, int]:
        """The outputs that pixels are read by: first and number, and how many are missing before and after."""
        first = self.first - (self.entries - 1) * self.dilation
        last = self.first + self.count
        start, end = max(first, 0), min(last, outputs)
        return start, end - start, start - first, last - end


@dataclass(frozen=True)
class _Windows:
    """Height and width of an image [N, H, W, C] that windows slide over."""

    axes: tuple[_Axis, _Axis]

    @property
    def _counts(self) -> tuple[int, int]:
        rows, columns = self.axes
        return rows.count, columns.count

    @property
    def _strides(self) -> tuple[int, int]:
        rows, columns = self.axes
        return rows.stride, columns.stride

    def outputs_of_a_pixel(self) -> Iterator[tuple[int, int]]:
        """Every (d, d) of rows and columns."""
        rows, columns = self.axes
        return np.ndindex(rows.entries, columns.entries)

    def moved(self, outputs: ir.Value, d: tuple[int, int]) -> ir.Value:
        """[N, rows, 1, columns, 1, C]: what output q - d has; 0 where there is no such output."""
        batch, *_, channels = shape_of(outputs)
        starts = [axis.first - distance for axis, distance in zip(self.axes, d, strict=True)]
        rows, columns = self._counts
        part = ops.window(outputs, (0, *starts, 0), (batch, rows, columns, channels))
        return ops.reshape(part, (batch, rows, 1, columns, 1, channels))

    def by_tap(self, values: NDArray[np.float32], d: tuple[int, int]) -> NDArray[np.float32]:
        """[1, 1, phases, 1, phases, C]: of `values` [taps, taps, C] those by which output q - d reads; 0 beyond."""
        down, right = self._strides
        part = values[d[0] * down :, d[1] * right :][:down, :right]
        part = np.pad(part, [(0, down - part.shape[0]), (0, right - part.shape[1]), (0, 0)])
        return part[None, None, :, None]

    def image(self, phases: ir.Value) -> ir.Value:
        """The image of [N, rows, phases, columns, phases, C]."""
        batch, rows, down, columns, right, channels = shape_of(phases)
        whole = ops.reshape(phases, (batch, rows * down, columns * right, channels))
        starts, sizes = zip(*((axis.before, axis.size) for axis in self.axes), strict=True)
        return ops.cut(whole, (0, *starts, 0), (batch, *sizes, channels))


def _through_depthwise(
    op: ir.Operation, windows: _Windows, cotangent: ir.Value, weights: NDArray[np.float32]
) -> ir.Value:
    """The adjoint of a depthwise convolution with weights [KH, KW, C, M]."""
    rows, columns, channels, multiples = weights.shape
    kernel = weights.reshape(rows, columns, channels * multiples)
    if windows.axes[0].stride == windows.axes[1].stride == 1:
        turned = ops.number(kernel[::-1, ::-1, :, None])
        found = _convolve("depthwise_conv2d", windows, cotangent, turned)
    else:
        outputs = windows.outputs_of_a_pixel()
        parts = [ops.multiply(windows.moved(cotangent, d), ops.number(windows.by_tap(kernel, d))) for d in outputs]
        found = windows.image(_sum(parts))
    shape = shape_of(op.operands[0])
    if multiples > 1:
        found = ops.total(ops.reshape(found, (*shape, multiples)), [4])
    return ops.reshape(found, shape)


def _convolve(name: str, windows: _Windows, cotangent: ir.Value, weights: ir.Value) -> ir.Value:
    """[N, rows, columns, channels]: a convolution of stride 1, one result for each q."""
    batch, height, width, filters = shape_of(cotangent)
    rows, columns = windows.axes
    top, high, above, below = rows.read(height)
    left, wide, before, after = columns.read(width)
    read = ops.cut(cotangent, (0, top, left, 0), (batch, high, wide, filters))
    dilation = rows.dilation, columns.dilation
    channels = shape_of(weights)[0 if name == "conv2d" else 2]
    shape = (batch, rows.count, columns.count, channels)
    return ops.convolve(name, read, weights, shape, (above, below, before, after), dilation)


def _sum(parts: Sequence[ir.Value]) -> ir.Value:
    return reduce(lambda a, b: ops.add(a, b), parts)


def _kernel(op: ir.Operation, axes: tuple[int, int]) -> tuple[ir.Value, _Windows]:
    """The weights of a convolution; where it has a stride, with zeros between taps instead of a dilation."""
    weights = op.operands[1]
    found: list[_Axis] = []
    fields = (
        shape_of(op.operands[0])[1:3],
        _integers(op, "stride"),
        _integers(op, "pad")[::2],
        _integers(op, "dilation"),
    )
    for axis, size, stride, pad, dilation in zip(axes, *fields, strict=True):
        if stride > 1 and dilation > 1:
            shape = list(shape_of(weights))
            shape[axis] = (shape[axis] - 1) * dilation + 1
            dense = np.zeros(shape, np.float32)
            np.moveaxis(dense, axis, 0)[::dilation] = np.moveaxis(_array(weights), axis, 0)
            weights, dilation = ops.number(dense), 1
        found.append(_Axis(size, shape_of(weights)[axis], stride, pad, dilation))
    rows, columns = found
    return weights, _Windows((rows, columns))


def _array(weights: ir.Value) -> NDArray[np.float32]:
    array = constant_value(weights)
    assert array is not None
    return np.asarray(array, np.float32)


def _pooling(op: ir.Operation) -> tuple[tuple[int, int], _Windows]:
    """Taps and windows of a pooling."""
    rows, columns = (
        _Axis(*fields)
        for fields in zip(
            shape_of(op.operands[0])[1:3],
            _integers(op, "kernel"),
            _integers(op, "stride"),
            _integers(op, "pad")[::2],
            strict=True,
        )
    )
    return (rows.taps, columns.taps), _Windows((rows, columns))


def _integers(op: ir.Operation, name: str) -> list[int]:
    return list(ir.DenseI64ArrayAttr(op.attributes[name]))
