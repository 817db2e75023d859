"""Conv and ConvTranspose: tosa.conv2d, depthwise_conv2d and transpose_conv2d on NHWC images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.sliding_window import (
    Window,
    fit_image,
    from_image,
    pair,
    resolve_window,
    to_image,
)
from quantune_mlir.importers.onnx.ops.volumes import convolution_of_volume, transposed_convolution_of_volume
from quantune_mlir.mlir.tosa.channel_groups import spread_groups

_MOST_GROUPS = 4096


@operator("Conv")
def convolution(b: Builder, node: Node) -> Tensor:
    x, weights = node.input(0), node.input(1)
    _require_float(x)
    if x.rank == 5:
        return convolution_of_volume(b, node, convolution)
    bias = node.optional_input(2) or Tensor.constant(np.zeros(weights.shape[0], x.dtype))
    image = to_image(b, x)
    kernel = node.attribute("kernel_shape") or weights.shape[2:]
    window = resolve_window(node, image.shape[1:3], kernel)
    image, pads = fit_image(b, image, window)
    weights = _image_weights(b, weights)
    groups = node.attribute("group", 1)
    channels = image.shape[3]
    if channels != groups * weights.shape[1] or weights.shape[0] % groups:
        raise Unsupported(f"weights {list(weights.shape)} do not fit {channels} channels in {groups} groups")
    if groups == channels and groups > 1:
        result = _depthwise(b, image, weights, bias, window, pads)
    else:
        result = _grouped(b, image, weights, bias, window, pads, groups)
    return from_image(b, result, x.rank)


def _by_group(
    b: Builder, operands: Sequence[Tensor], axes: Sequence[int], groups: int, convolve: Callable[..., Tensor]
) -> Tensor:
    """What `convolve` makes of each group of channels, which lie along an axis of each operand: an op for each."""
    if not 1 <= groups <= _MOST_GROUPS:
        raise Unsupported(f"{groups} groups; 1 to {_MOST_GROUPS} are supported, or as many as there are channels")

    def share(tensor: Tensor, axis: int, group: int) -> Tensor:
        size = tensor.shape[axis] // groups
        return b.slice_axis(tensor, axis, group * size, size)

    shares = ([share(x, axis, group) for x, axis in zip(operands, axes, strict=True)] for group in range(groups))
    return b.concat([convolve(*operands) for operands in shares], 3)


def _require_float(x: Tensor) -> None:
    if not x.is_float:
        raise Unsupported(f"element type {x.dtype}; f32 and f16 are supported")


def _image_weights(b: Builder, weights: Tensor) -> Tensor:
    """[O, I, L] -> [O, I, 1, L]; 2-D weights stay."""
    return b.reshape(weights, (*weights.shape[:2], 1, weights.shape[2])) if weights.rank == 3 else weights


def _depthwise(b: Builder, x: Tensor, weights: Tensor, bias: Tensor, window: Window, pads: list[int]) -> Tensor:
    channels, outputs = x.shape[3], weights.shape[0]
    weights = b.reshape(weights, (channels, outputs // channels, *window.kernel))
    weights = b.transpose(weights, (2, 3, 0, 1))
    shape = (x.shape[0], *window.output, outputs)
    return b.convolution("depthwise_conv2d", x, weights, bias, shape, pads, window.stride, window.dilation)


def _grouped(
    b: Builder, x: Tensor, weights: Tensor, bias: Tensor, window: Window, pads: list[int], groups: int
) -> Tensor:
    """One tosa.conv2d; for each group of channels, if their weights are computed."""
    outputs = weights.shape[0] // groups
    weights = b.transpose(weights, (0, 2, 3, 1))
    shape = (x.shape[0], *window.output, outputs)
    if groups > 1 and weights.array is not None:
        weights = Tensor.constant(spread_groups(weights.array, groups))
        shape = (*shape[:3], outputs * groups)
        return b.convolution("conv2d", x, weights, bias, shape, pads, window.stride, window.dilation)

    def convolve(x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        return b.convolution("conv2d", x, weights, bias, shape, pads, window.stride, window.dilation)

    return _by_group(b, (x, weights, bias), (3, 0, 0), groups, convolve)


@operator("ConvTranspose")
def transposed_convolution(b: Builder, node: Node) -> Tensor:
    x, weights = node.input(0), node.input(1)
    _require_float(x)
    if x.rank == 5:
        return transposed_convolution_of_volume(b, node, transposed_convolution)
    groups = node.attribute("group", 1)
    outputs = weights.shape[1]
    bias = node.optional_input(2) or Tensor.constant(np.zeros(groups * outputs, x.dtype))
    spatial = weights.rank - 2
    image = to_image(b, x)
    if image.shape[3] != weights.shape[0]:
        raise Unsupported(f"weights {list(weights.shape)} do not fit {image.shape[3]} channels")
    ones = [1] * spatial
    stride, dilation = pair(node.attribute("strides", ones), 1), pair(node.attribute("dilations", ones), 1)
    weights = _dilated(b, _image_weights(b, weights), dilation)
    kernel = weights.shape[2:]
    begin, size = _transposed_geometry(node, image.shape[1:3], kernel, stride, spatial)
    weights = b.transpose(weights, (1, 2, 3, 0))
    end = [size[i] - (image.shape[1 + i] - 1) * stride[i] - kernel[i] + begin[i] for i in range(2)]
    out_pad = [-begin[0], end[0], -begin[1], end[1]]
    crop = [0, 0]
    for axis in range(2):  # TOSA wants every pad above minus the kernel size: compute more, and crop
        for side in range(2):
            excess = -kernel[axis] + 1 - out_pad[2 * axis + side]
            if excess > 0:
                out_pad[2 * axis + side] += excess
                crop[axis] += excess if side == 0 else 0
    full = [(image.shape[1 + i] - 1) * stride[i] + kernel[i] + out_pad[2 * i] + out_pad[2 * i + 1] for i in range(2)]

    def convolve(x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        return b.convolution("transpose_conv2d", x, weights, bias, (x.shape[0], *full, outputs), out_pad, stride)

    result = _by_group(b, (image, weights, bias), (3, 3, 0), groups, convolve)
    result = b.slice(result, (0, *crop, 0), (x.shape[0], *size, groups * outputs))
    return from_image(b, result, x.rank)


def _dilated(b: Builder, weights: Tensor, dilation: tuple[int, int]) -> Tensor:
    """Weights [I, O, H, W] with zeros between the taps, which TOSA's transposed convolution lacks as an option."""
    if dilation == (1, 1):
        return weights
    i, o, h, w = weights.shape
    spread = b.reshape(weights, (i, o, h, 1, w, 1))
    spread = b.pad(spread, [0] * 6, (0, 0, 0, dilation[0] - 1, 0, dilation[1] - 1))
    spread = b.reshape(spread, (i, o, h * dilation[0], w * dilation[1]))
    return b.slice(spread, (0, 0, 0, 0), (i, o, (h - 1) * dilation[0] + 1, (w - 1) * dilation[1] + 1))


def _transposed_geometry(
    node: Node, size: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, int], spatial: int
) -> tuple[list[int], list[int]]:
    """Leading padding and output size of a ConvTranspose, as its ONNX specification has them."""
    extra = pair(node.attribute("output_padding") or [0] * spatial, 0)
    rule = node.attribute("auto_pad", "NOTSET")
    wanted = node.attribute("output_shape")
    full = [(s - 1) * t + k + e for s, t, k, e in zip(size, stride, kernel, extra, strict=True)]
    if wanted is None and rule in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [s * t for s, t in zip(size, stride, strict=True)]
    if wanted is None:
        pads = node.attribute("pads") or [0] * (2 * spatial)
        if rule == "VALID":
            pads = [0] * (2 * spatial)
        begin, end = pair(pads[:spatial], 0), pair(pads[spatial:], 0)
        return list(begin), [f - p - q for f, p, q in zip(full, begin, end, strict=True)]
    output = list(pair(wanted[-spatial:] if len(wanted) > spatial else wanted, 1))
    total = [f - o for f, o in zip(full, output, strict=True)]
    begin = [p // 2 if rule == "SAME_UPPER" else p - p // 2 for p in total]
    return begin, output
