"""Max and average pools, windowed and global."""

from __future__ import annotations

from itertools import chain
from math import prod

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.dilated_pooling import dilated_average_pool, dilated_max_pool, dilated_sum
from quantune_mlir.importers.onnx.ops.sliding_window import Window, fit_image, from_image, resolve_window, to_image
from quantune_mlir.importers.onnx.ops.volumes import pool_of_volume

_NO_PADS = [0, 0, 0, 0]


@operator("MaxPool")
def max_pool(b: Builder, node: Node) -> Tensor:
    if node.uses_output(1):
        raise Unsupported("the Indices output is used")
    x = node.input(0)
    if x.rank == 5:
        return pool_of_volume(b, node, max_pool)
    unsigned = x.dtype == np.uint8
    image, window, pads = windowed(b, node, _sign_flipped(b, x, np.int8) if unsigned else x)
    if window.dilation == (1, 1):
        result = b.max_pool(image, _result_shape(image, window), window.kernel, window.stride, pads)
    else:
        result = dilated_max_pool(b, image, window, pads)
    result = from_image(b, result, x.rank)
    return _sign_flipped(b, result, np.uint8) if unsigned else result


def _sign_flipped(b: Builder, x: Tensor, dtype: type[np.int8] | type[np.uint8]) -> Tensor:
    """Eight-bit integers with the top bit inverted: uint8 and int8 in the same order, since TOSA pools int8 only."""
    flipped = b.binary("bitwise_xor", x, b.splat(-128, np.int8, x.rank))
    return Tensor.computed(b.value(flipped), dtype)


def windowed(b: Builder, node: Node, x: Tensor) -> tuple[Tensor, Window, list[int]]:
    """`x` as an image [N, H, W, C], the window that slides over it, and the padding [top, bottom, left, right]."""
    image = to_image(b, x)
    ceil_mode = bool(node.attribute("ceil_mode", 0))
    window = resolve_window(node, image.shape[1:3], node.attributes["kernel_shape"], ceil_mode=ceil_mode)
    image, pads = fit_image(b, image, window)
    return image, window, pads


def _result_shape(image: Tensor, window: Window) -> tuple[int, ...]:
    return (image.shape[0], *window.output, image.shape[3])


@operator("AveragePool")
def average_pool(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    if x.rank == 5:
        return pool_of_volume(b, node, average_pool)
    image, window, pads = windowed(b, node, x)
    counted = [0, 0, 0, 0]
    if node.attribute("count_include_pad", 0):
        # The model's own padding counts; what ceil_mode reads beyond it does not.
        begin_end = zip(window.begin, window.end, strict=True)
        counted = [max(0, min(p, own)) for p, own in zip(pads, chain(*begin_end), strict=True)]
    if window.dilation != (1, 1):
        return from_image(b, dilated_average_pool(b, image, window, pads, counted), x.rank)
    image = b.pad(image, (0, counted[0], counted[2], 0), (0, counted[1], counted[3], 0))
    rest = [p - c for p, c in zip(pads, counted, strict=True)]
    result = b.avg_pool(image, _result_shape(image, window), window.kernel, window.stride, rest)
    return from_image(b, result, x.rank)


def sum_pool(b: Builder, image: Tensor, window: Window, pads: list[int]) -> Tensor:
    """The sum of each window, padding being zeros."""
    if window.dilation != (1, 1):
        return dilated_sum(b, image, window, pads)
    image = b.pad(image, (0, pads[0], pads[2], 0), (0, pads[1], pads[3], 0))
    mean = b.avg_pool(image, _result_shape(image, window), window.kernel, window.stride, _NO_PADS)
    return b.scaled(mean, prod(window.kernel))


@operator("GlobalAveragePool")
def global_average_pool(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    return _restored(b, mean_image(b, _as_image(b, x)), x)


def mean_image(b: Builder, image: Tensor) -> Tensor:
    """[N, H, W, C] -> [N, 1, 1, C]: the mean over the image, as one tosa.avg_pool2d."""
    n, h, w, c = image.shape
    return b.avg_pool(image, (n, 1, 1, c), (h, w), (1, 1), _NO_PADS)


@operator("GlobalMaxPool")
def global_max_pool(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    image = _as_image(b, x)
    n, h, w, c = image.shape
    return _restored(b, b.max_pool(image, (n, 1, 1, c), (h, w), (1, 1), _NO_PADS), x)


def _as_image(b: Builder, x: Tensor) -> Tensor:
    """What is pooled as a whole; of a volume the planes are rows."""
    if x.rank == 5:
        n, channels, depth, height, width = x.shape
        x = b.reshape(x, (n, channels, depth, height * width))
    return to_image(b, x)


def _restored(b: Builder, image: Tensor, x: Tensor) -> Tensor:
    """The inverse of `_as_image` for one pixel."""
    result = from_image(b, image, min(x.rank, 4))
    return b.reshape(result, (*x.shape[:2], *[1] * (x.rank - 2)))
