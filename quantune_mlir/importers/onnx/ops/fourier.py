"""DFT and STFT: products with constant matrices of cosines and sines, computed in double precision.

Complex numbers are pairs along the last axis; a real signal has one number there, or no such axis in STFT.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.convolution import convolution
from quantune_mlir.importers.onnx.ops.linear import fully_connected

_AXIS_IS_AN_INPUT = 20
"""Of DFT, from this opset on."""


@operator("DFT")
def discrete_fourier_transform(b: Builder, node: Node) -> Tensor:
    x, length = node.input(0), node.constant_input(1, "dft_length")
    if node.opset >= _AXIS_IS_AN_INPUT:
        given = node.constant_input(2, "axis")
        axis = -2 if given is None else int(given.reshape(()))
    else:
        axis = node.attribute("axis", 1)
    axis, size = axis % x.rank, x.shape[axis]
    inverse, onesided = bool(node.attribute("inverse", 0)), bool(node.attribute("onesided", 0))
    whole = 2 * (size - 1) if onesided and inverse else size
    points = whole if length is None else int(length.reshape(()))
    wave = _wave(b, points, points // 2 + 1 if onesided and not inverse else points, x.shape[-1], inverse=inverse)
    if onesided and inverse:
        wave = _of_half(wave)
    wave = wave[: min(size, len(wave))]  # [time, number, frequency, number]
    moved = [i for i in range(x.rank) if i not in (axis, x.rank - 1)]
    x = b.slice_axis(x, axis, 0, len(wave))
    rows = b.transpose(x, (*moved, axis, x.rank - 1))
    outer = rows.shape[:-2]
    matrix = wave.reshape(wave.shape[0] * wave.shape[1], -1).astype(np.float32)
    bias = Tensor.constant(np.zeros(matrix.shape[1], np.float32))
    flat = b.reshape(rows, (int(np.prod(outer)), matrix.shape[0]))
    result = b.reshape(fully_connected(b, flat, Tensor.constant(matrix), bias), (*outer, *wave.shape[2:]))
    order = (*moved, axis, x.rank - 1)
    return b.transpose(result, [order.index(i) for i in range(x.rank)])


@operator("STFT")
def short_time_fourier_transform(b: Builder, node: Node) -> Tensor:
    """Frames [N, T, F, 2] by a convolution along the signal, whose kernels are windowed cosines and sines."""
    x, step = node.input(0), node.constant_input(1, "frame_step")
    window, length = node.constant_input(2, "window"), node.constant_input(3, "frame_length")
    if step is None or (window is None and length is None):
        raise Unsupported("neither a window nor a frame's length")
    points = int(length.reshape(())) if length is not None else 0 if window is None else window.size
    shape = np.ones(points) if window is None else window.reshape(-1).astype(np.float64)
    if shape.size != points:
        raise Unsupported(f"a window of {shape.size}, frames of {points}")
    numbers = 1 if x.rank == 2 else x.shape[2]
    frequencies = points // 2 + 1 if node.attribute("onesided", 1) else points
    wave = _wave(b, points, frequencies, numbers) * shape[:, None, None, None]
    kernels = wave.transpose(3, 2, 1, 0).reshape(2 * frequencies, numbers, points).astype(np.float32)
    signal = b.transpose(b.reshape(x, (*x.shape[:2], numbers)), (0, 2, 1))
    attributes = {"strides": [int(step.reshape(()))], "kernel_shape": [points]}
    found = convolution(b, replace(node, inputs=[signal, Tensor.constant(kernels)], attributes=attributes))
    assert isinstance(found, Tensor)
    batch, _, frames = found.shape
    return b.transpose(b.reshape(found, (batch, 2, frequencies, frames)), (0, 3, 2, 1))


def _of_half(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of half a spectrum, whose signal is real: each frequency stands for its mirror image, too."""
    points = len(wave)
    times = np.full(points // 2 + 1, 2.0)
    times[0] = 1.0
    if points % 2 == 0:
        times[-1] = 1.0
    return wave[: len(times), ..., :1] * times[:, None, None, None]


def _wave(b: Builder, points: int, frequencies: int, numbers: int, *, inverse: bool = False) -> NDArray[np.float64]:
    """What each number of a signal adds to each number of its transform: [time, number, frequency, number]."""
    if points < 1 or numbers not in (1, 2):
        raise Unsupported(f"a transform of {points} points of {numbers} number(s)")
    b.growth.take((points, numbers, frequencies, 2), np.float64)
    turns = np.outer(np.arange(points), np.arange(frequencies)) % points / points
    cosine, sine = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns) * (1 if inverse else -1)
    real, imaginary = np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)
    wave = np.stack([real, imaginary][:numbers], 1)
    return wave / points if inverse else wave
