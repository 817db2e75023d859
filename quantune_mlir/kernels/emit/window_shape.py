"""The geometry of pooling and of sums over pixels: which pixels of the input each output pixel sees."""

from __future__ import annotations

from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa.traits import axis_of


def window_shape(group: Group) -> ConvolutionShape:
    """The windows of a pooling group as those of a depthwise convolution.

    A sum over whole axes is a window as large as the image, [N, T, C] one row of T pixels.
    """
    root = group.root
    assert root is not None
    batch, height, width, channels = _image(shape_of(group.source))
    _, out_height, out_width, _ = _image(shape_of(root.results[0]))
    top = left = 0
    if root.name == "tosa.reduce_sum":
        kernel, stride = _summed(group.roots), (1, 1)
    else:
        kernel, stride = _pair(root, "kernel"), _pair(root, "stride")
        top, _, left, _ = ir.DenseI64ArrayAttr(root.attributes["pad"])
    for view in group.views:
        start = constant_value(view.operands[1])
        assert start is not None
        top, left = top - int(start[1]), left - int(start[2])
    return ConvolutionShape(
        batch, height, width, channels, out_height, out_width, channels, kernel, stride, (1, 1), (top, left)
    )


def _summed(sums: list[ir.Operation]) -> tuple[int, int]:
    """Rows and columns that are added."""
    rows = columns = 1
    for op in sums:
        source, axis = shape_of(op.operands[0]), axis_of(op)
        if len(source) == 4 and axis == 1:
            rows *= source[axis]
        else:
            columns *= source[axis]
    return rows, columns


def _image(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    if len(shape) == 3:
        batch, width, channels = shape
        return batch, 1, width, channels
    batch, height, width, channels = shape
    return batch, height, width, channels


def _pair(op: ir.Operation, name: str) -> tuple[int, int]:
    first, second = ir.DenseI64ArrayAttr(op.attributes[name])
    return first, second
