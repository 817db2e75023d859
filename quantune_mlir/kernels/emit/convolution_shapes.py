"""The geometry of a convolution, however TOSA spells it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import shape_of


@dataclass(frozen=True)
class ConvolutionShape:
    """A convolution over NHWC; a matmul [1, M, C] x [C, K] is one of 1 x 1 over a row of M pixels.

    Pads are what stands before the first row and column; negative where the input's first rows or columns are skipped.
    Channels and out_channels are those of one group, if there are several: neighbours that read and make their own.
    """

    batch: int
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]
    groups: int = 1

    @property
    def pixel(self) -> int:
        """Elements from one pixel of the input to the next."""
        return self.channels * self.groups

    @property
    def out_pixel(self) -> int:
        """Elements from one pixel of the output to the next."""
        return self.out_channels * self.groups

    @property
    def pads(self) -> bool:
        """Whether it reads beyond its input."""
        (top, left), (kh, kw), (sh, sw), (dh, dw) = self.pad, self.kernel, self.stride, self.dilation
        last_row = (self.out_height - 1) * sh - top + (kh - 1) * dh
        last_column = (self.out_width - 1) * sw - left + (kw - 1) * dw
        return top > 0 or left > 0 or last_row >= self.height or last_column >= self.width

    @property
    def is_pointwise(self) -> bool:
        """Whether each pixel depends on the one pixel at its place: rows do not matter then."""
        same = (self.height, self.width) == (self.out_height, self.out_width)
        return self.kernel == (1, 1) and self.stride == (1, 1) and self.pad == (0, 0) and same

    def flattened(self) -> ConvolutionShape:
        """A pointwise convolution over one long row of pixels."""
        pixels = self.batch * self.height * self.width
        return replace(self, batch=1, height=1, width=pixels, out_height=1, out_width=pixels, dilation=(1, 1))

    def grouped(self, groups: int) -> ConvolutionShape:
        """The same convolution, known to be one of so many groups."""
        return replace(self, channels=self.channels // groups, out_channels=self.out_channels // groups, groups=groups)


def convolution_shape(root: ir.Operation, source: ir.Value, views: list[ir.Operation]) -> ConvolutionShape:
    """The shape of a conv2d, depthwise_conv2d or matmul that reads `source` through `views`."""
    output = shape_of(root.results[0])
    if root.name == "tosa.matmul":
        _, rows, channels = shape_of(source)
        pair = (1, 1)
        return ConvolutionShape(1, 1, rows, channels, 1, rows, output[2], pair, pair, pair, (0, 0))
    batch, height, width, channels = shape_of(source)
    weights = shape_of(root.operands[1])
    kernel = weights[:2] if root.name == "tosa.depthwise_conv2d" else weights[1:3]
    top, _, left, _ = _integers(root, "pad")
    for view in views:
        start = constant_value(view.operands[1])
        assert start is not None
        top, left = top - int(start[1]), left - int(start[2])
    return ConvolutionShape(
        batch,
        height,
        width,
        channels,
        output[1],
        output[2],
        output[3],
        (kernel[0], kernel[1]),
        _pair(root, "stride"),
        _pair(root, "dilation"),
        (top, left),
    )


def _integers(op: ir.Operation, name: str) -> list[int]:
    return list(ir.DenseI64ArrayAttr(op.attributes[name]))


def _pair(op: ir.Operation, name: str) -> tuple[int, int]:
    first, second = _integers(op, name)
    return first, second
