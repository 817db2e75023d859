"""TOSA's window operators on NHWC arrays of any element type, from their definitions; padding counts as zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def conv2d(x: np.ndarray, w: np.ndarray, pad: Sequence[int], stride: Sequence[int], dilation: Sequence[int]):
    """`w` is [outputs, height, width, inputs]; `pad` is top, bottom, left, right."""
    return np.einsum("nhwklc,oklc->nhwo", _windows(x, w.shape[1:3], pad, stride, dilation), w)


def depthwise_conv2d(x: np.ndarray, w: np.ndarray, pad: Sequence[int], stride: Sequence[int], dilation: Sequence[int]):
    """`w` is [height, width, channels, multiplier]; output channel c * multiplier + m belongs to input channel c."""
    result = np.einsum("nhwklc,klcm->nhwcm", _windows(x, w.shape[:2], pad, stride, dilation), w)
    return result.reshape(*result.shape[:3], -1)


def transpose_conv2d(x: np.ndarray, w: np.ndarray, out_pad: Sequence[int], stride: Sequence[int]):
    """Each input pixel adds its value times the kernel to the output, `stride` pixels on from its neighbour."""
    top, bottom, left, right = out_pad
    images, height, width, _ = x.shape
    outputs, kernel_h, kernel_w, _ = w.shape
    pads = [max(0, p) for p in out_pad]
    size = (
        (height - 1) * stride[0] + kernel_h + pads[0] + pads[1],
        (width - 1) * stride[1] + kernel_w + pads[2] + pads[3],
    )
    result = np.zeros((images, *size, outputs), x.dtype)
    for i in range(height):
        for j in range(width):
            y, z = i * stride[0] + pads[0], j * stride[1] + pads[2]
            result[:, y : y + kernel_h, z : z + kernel_w] += np.einsum("nc,oklc->nklo", x[:, i, j], w)
    rows = slice(max(0, -top), size[0] - max(0, -bottom))
    columns = slice(max(0, -left), size[1] - max(0, -right))
    return result[:, rows, columns]


def max_pool2d(x: np.ndarray, kernel: Sequence[int], pad: Sequence[int], stride: Sequence[int]):
    """Padding never is the maximum."""
    lowest = np.iinfo(x.dtype).min if x.dtype.kind == "i" else -np.inf
    return _windows(x, kernel, pad, stride, (1, 1), fill=lowest).max(axis=(3, 4))


def sum_pool2d(x: np.ndarray, kernel: Sequence[int], pad: Sequence[int], stride: Sequence[int]):
    """The sum of each window, and how many of its elements are not padding."""
    count = _windows(np.ones_like(x), kernel, pad, stride, (1, 1)).sum(axis=(3, 4))
    return _windows(x, kernel, pad, stride, (1, 1)).sum(axis=(3, 4)), count


def resize_nearest(x: np.ndarray, scale: Sequence[int], offset: Sequence[int], size: Sequence[int]):
    """TOSA RESIZE, nearest mode: scale is y_n, y_d, x_n, x_d; size that of the output."""
    rows, columns = (
        _nearest(size[axis], scale[2 * axis], scale[2 * axis + 1], offset[axis], x.shape[1 + axis]) for axis in (0, 1)
    )
    return x[:, rows][:, :, columns]


def resize_bilinear(x: np.ndarray, scale: Sequence[int], offset: Sequence[int], size: Sequence[int]):
    """TOSA RESIZE, bilinear mode: of integers, which is the sum of pixels times their whole shares; and y_n * x_n."""
    for axis in (0, 1):
        numerator, denominator = scale[2 * axis : 2 * axis + 2]
        whole, rest = np.divmod(np.arange(size[axis]) * denominator + offset[axis], numerator)
        rest = rest.reshape([-1 if i == axis + 1 else 1 for i in range(4)])
        first, second = (np.take(x, np.clip(at, 0, x.shape[axis + 1] - 1), axis + 1) for at in (whole, whole + 1))
        x = first * (numerator - rest) + second * rest
    return x, scale[0] * scale[2]


def _nearest(size: int, numerator: int, denominator: int, offset: int, limit: int) -> np.ndarray:
    position = np.arange(size) * denominator + offset
    whole, rest = np.divmod(position, numerator)
    return np.clip(whole + (2 * rest >= numerator), 0, limit - 1)


def _windows(
    x: np.ndarray,
    kernel: Sequence[int],
    pad: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    fill: float = 0,
) -> np.ndarray:
    """[N, out height, out width, kernel height, kernel width, C]."""
    padded = np.pad(x, ((0, 0), tuple(pad[:2]), tuple(pad[2:]), (0, 0)), constant_values=fill)
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(padded, extents, axis=(1, 2))
    view = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return view.transpose(0, 1, 2, 4, 5, 3)
