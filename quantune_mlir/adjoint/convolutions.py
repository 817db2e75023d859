"""Adjoints of what slides a window over an image and is linear: convolutions and averages.

Along one axis, output o reads the pixels i = stride o + tap - pad. So with i + pad = stride q + phase, pixel i is read
by the outputs o = q - d, through tap = stride d + phase, for d from 0 on. The pixels of one phase are a convolution of
stride 1 over the cotangent, and the phases interleaved are the image: nothing is spread with zeros first. Where each
channel is for itself, a kernel has room for no phases: where windows overlap, zeros are spread between the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    if windows.strides == (1, 1):
        return found
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
    def strides(self) -> tuple[int, int]:
        """Of rows and columns."""
        rows, columns = self.axes
        return rows.stride, columns.stride

    @property
    def overlap(self) -> bool:
        """Whether pixels are in more than one window."""
        return any(axis.entries > 1 for axis in self.axes)

    def at_every_pixel(self) -> _Windows:
        """The same windows of stride 1."""
        rows, columns = (replace(axis, stride=1) for axis in self.axes)
        return _Windows((rows, columns))

    def spread(self, outputs: ir.Value) -> ir.Value:
        """What windows of stride 1 have where these have `outputs`; 0 elsewhere."""
        batch, height, width, channels = shape_of(outputs)
        down, right = self.strides
        apart = ops.reshape(outputs, (batch, height, 1, width, 1, channels))
        apart = ops.pad(apart, [(0, 0), (0, 0), (0, down - 1), (0, 0), (0, right - 1), (0, 0)])
        return ops.reshape(apart, (batch, height * down, width * right, channels))

    def by_pixel(self, outputs: ir.Value, values: NDArray[np.float32]) -> ir.Value:
        """Of windows that do not overlap: for each pixel its output times that of `values` [taps, taps, C]."""
        batch, *_, channels = shape_of(outputs)
        rows, columns = self.axes
        part = ops.window(outputs, (0, rows.first, columns.first, 0), (batch, rows.count, columns.count, channels))
        part = ops.reshape(part, (batch, rows.count, 1, columns.count, 1, channels))
        unread = [(0, axis.stride - axis.taps) for axis in self.axes]
        phases = np.pad(values, [*unread, (0, 0)])
        return self.image(ops.multiply(part, ops.number(phases[None, None, :, None])))

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
    if windows.strides != (1, 1) and not windows.overlap:
        found = windows.by_pixel(cotangent, kernel)
    else:
        turned = ops.number(kernel[::-1, ::-1, :, None])
        found = _convolve("depthwise_conv2d", windows.at_every_pixel(), windows.spread(cotangent), turned)
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
