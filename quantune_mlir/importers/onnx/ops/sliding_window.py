"""Geometry shared by convolutions and pools: padding rules, output sizes, and the NHWC images TOSA works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.mlir.constants import check_shape


@dataclass(frozen=True)
class Window:
    """A sliding window over two spatial axes (height, width); padding may be negative (a crop)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    begin: tuple[int, int]
    end: tuple[int, int]
    output: tuple[int, int]

    def extent(self, axis: int) -> int:
        """How many input positions one window spans."""
        return (self.kernel[axis] - 1) * self.dilation[axis] + 1


def to_image(b: Builder, x: Tensor) -> Tensor:
    """[N, C, H, W] or [N, C, L] -> [N, H, W, C], where a 1-D signal is an image of height one."""
    if x.rank == 3:
        x = b.transpose(x, (0, 2, 1), layout=True)
        return b.reshape(x, (x.shape[0], 1, *x.shape[1:]))
    if x.rank != 4:
        raise Unsupported(f"{x.rank - 2} spatial dimensions; 1 and 2 are supported")
    return b.transpose(x, (0, 2, 3, 1), layout=True)


def from_image(b: Builder, x: Tensor, rank: int) -> Tensor:
    """The inverse of `to_image` for a result of `rank`."""
    if rank == 3:
        n, _, length, c = x.shape
        return b.transpose(b.reshape(x, (n, length, c)), (0, 2, 1), layout=True)
    return b.transpose(x, (0, 3, 1, 2), layout=True)


def pair(values: Sequence[int], neutral: int) -> tuple[int, int]:
    """A value for each image axis from a node's list, which has one entry for a 1-D signal."""
    values = [int(v) for v in values]
    if len(values) not in (1, 2):
        raise Unsupported(f"{values} speaks of {len(values)} spatial dimensions; 1 and 2 are supported")
    return (neutral, values[0]) if len(values) == 1 else (values[0], values[1])


def resolve_window(node: Node, size: Sequence[int], kernel: Sequence[int], *, ceil_mode: bool = False) -> Window:
    """The window of a convolution or pool over an image of `size` (height, width).

    `kernel` has as many entries as the model has spatial axes. Output sizes follow the ONNX operator
    specifications of Conv, MaxPool and AveragePool; with `ceil_mode`, windows that would start in the trailing
    padding are dropped.
    """
    ones = [1] * len(kernel)
    kernel2, stride, dilation = (
        pair(v, 1) for v in (kernel, node.attribute("strides", ones), node.attribute("dilations", ones))
    )
    extents = [(k - 1) * d + 1 for k, d in zip(kernel2, dilation, strict=True)]
    rule = node.attribute("auto_pad", "NOTSET")
    if rule in ("SAME_UPPER", "SAME_LOWER"):
        output = [-(-s // t) for s, t in zip(size, stride, strict=True)]
        total = [max((o - 1) * t + e - s, 0) for o, t, e, s in zip(output, stride, extents, size, strict=True)]
        less = [p // 2 for p in total]
        more = [p - q for p, q in zip(total, less, strict=True)]
        begin, end = (less, more) if rule == "SAME_UPPER" else (more, less)
    elif rule in ("VALID", "NOTSET"):
        pads = node.attribute("pads") or [0] * (2 * len(kernel))
        if rule == "VALID":
            pads = [0] * (2 * len(kernel))
        begin, end = pair(pads[: len(kernel)], 0), pair(pads[len(kernel) :], 0)
        output = [_output_size(*axis, ceil_mode) for axis in zip(size, begin, end, extents, stride, strict=True)]
    else:
        raise Unsupported(f"auto_pad {rule!r} is not an ONNX padding rule")
    check_shape([s + max(p, 0) + max(q, 0) for s, p, q in zip(size, begin, end, strict=True)])
    if min(output) < 1:
        raise Unsupported(f"the window {tuple(extents)} does not fit the padded input {tuple(size)}")
    return Window(kernel2, stride, dilation, pair(begin, 0), pair(end, 0), pair(output, 1))


def _output_size(size: int, begin: int, end: int, extent: int, stride: int, ceil_mode: bool) -> int:
    free = size + begin + end - extent
    if not ceil_mode:
        return free // stride + 1
    output = -(-free // stride) + 1
    return output - 1 if (output - 1) * stride >= size + begin else output


def fit_image(b: Builder, x: Tensor, window: Window) -> tuple[Tensor, list[int]]:
    """Crop `x` [N, H, W, C] and choose TOSA padding so that `window` covers it exactly.

    TOSA wants (size + padding - extent) divisible by the stride: trailing positions that no window reads are
    dropped, from the padding first and from the image after. Returns the image and [top, bottom, left, right].
    """
    starts, sizes, pads = [0, 0, 0, 0], list(x.shape), []
    for axis in range(2):
        begin = window.begin[axis]
        starts[1 + axis] = max(0, -begin)
        begin = max(0, begin)
        covered = (window.output[axis] - 1) * window.stride[axis] + window.extent(axis)
        available = x.shape[1 + axis] - starts[1 + axis]
        sizes[1 + axis] = min(available, covered - begin)
        pads += [begin, covered - begin - sizes[1 + axis]]
    return b.slice(x, starts, sizes), pads
