"""Pools whose window has gaps, which TOSA does not have: one strided picture per window position, combined."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.ops.sliding_window import Window


def dilated_max_pool(b: Builder, image: Tensor, window: Window, pads: list[int]) -> Tensor:
    """Maximum over the taps of `window`; `image` [N, H, W, C] and `pads` as `fit_image` gives them."""
    lowest = -np.inf if image.is_float else np.iinfo(image.dtype).min
    return reduce(lambda x, y: b.binary("maximum", x, y), _taps(b, _padded(b, image, pads, lowest), window))


def dilated_average_pool(b: Builder, image: Tensor, window: Window, pads: list[int], counted: list[int]) -> Tensor:
    """Mean over the taps that lie on the image or on the `counted` part of the padding."""
    total = dilated_sum(b, image, window, pads)
    counts = np.ones((1, 1))
    for axis, (size, reach) in enumerate(zip(image.shape[1:3], np.reshape(pads, (2, 2)), strict=True)):
        before, after = counted[2 * axis : 2 * axis + 2]
        line = np.zeros(size + reach.sum())
        line[reach[0] - before : reach[0] + size + after] = 1
        starts = np.arange(window.output[axis]) * window.stride[axis]
        taps = np.arange(window.kernel[axis]) * window.dilation[axis]
        along = line[starts[:, None] + taps].sum(1)
        counts = counts * along.reshape((-1, 1) if axis == 0 else (1, -1))
    return b.mul(total, Tensor.constant((1 / counts).astype(image.dtype)[None, :, :, None]))


def dilated_sum(b: Builder, image: Tensor, window: Window, pads: list[int]) -> Tensor:
    """Sum over the taps, padding being zeros."""
    return reduce(b.add, _taps(b, _padded(b, image, pads, 0), window))


def _padded(b: Builder, image: Tensor, pads: list[int], value: float) -> Tensor:
    return b.pad(image, (0, pads[0], pads[2], 0), (0, pads[1], pads[3], 0), value)


def _taps(b: Builder, image: Tensor, window: Window) -> Iterator[Tensor]:
    """For each window position, the elements that all windows have there: [N, output height, output width, C]."""
    spans = [(o - 1) * s + 1 for o, s in zip(window.output, window.stride, strict=True)]
    n, _, _, c = image.shape
    for row in range(window.kernel[0]):
        for column in range(window.kernel[1]):
            corner = (0, row * window.dilation[0], column * window.dilation[1], 0)
            picture = b.slice(image, corner, (n, *spans, c))
            if window.stride != (1, 1):
                picture = b.max_pool(picture, (n, *window.output, c), (1, 1), window.stride, (0, 0, 0, 0))
            yield picture
