"""GridSample, pixels gathered at places that are computed, and weighted; and AffineGrid, which computes such places."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.linear import matrix_product

_LINEAR: Final = (0, 1)
_CUBIC: Final = (-1, 0, 1, 2)
_MODES: Final = {"linear": _LINEAR, "bilinear": _LINEAR, "nearest": (0,), "cubic": _CUBIC, "bicubic": _CUBIC}
"""Which neighbours have a share in a result, along each axis."""
_A: Final = -0.75
"""Of the cubic kernel, as Resize calls it."""


@operator("GridSample", since=16)
def grid_sample(b: Builder, node: Node) -> Tensor:
    x, grid = node.input(0), node.input(1)
    mode, padding = node.attribute("mode", "linear"), node.attribute("padding_mode", "zeros")
    if x.rank != 4 or not x.is_float:
        raise Unsupported(f"{x.rank - 2} spatial dimensions of {x.dtype}; 2 of f32 are supported")
    if mode not in _MODES or padding not in ("zeros", "border", "reflection"):
        raise Unsupported(f"mode {mode!r}, padding_mode {padding!r}")
    batch, channels, *sizes = x.shape
    count = grid.size // grid.shape[0] // 2
    aligned = bool(node.attribute("align_corners", 0))
    coordinates = b.reshape(grid, (batch, count, 2))
    at = [_pixels(b, b.slice_axis(coordinates, 2, 1 - i, 1), size, aligned) for i, size in enumerate(sizes)]
    if padding == "border" and not mode.endswith("cubic"):
        at = [b.clamp(place, 0, size - 1) for place, size in zip(at, sizes, strict=True)]
    if padding == "reflection" and not mode.endswith("cubic"):
        at = [_mirrored(b, place, size, aligned) for place, size in zip(at, sizes, strict=True)]
    result = b.reshape(sampled(b, x, at, mode, padding, aligned=aligned), (batch, *grid.shape[1:3], channels))
    return b.transpose(result, (0, 3, 1, 2))


def sampled(
    b: Builder, x: Tensor, at: Sequence[Tensor], mode: str, padding: str = "zeros", *, aligned: bool = False
) -> Tensor:
    """[N, C, H, W] at places (rows, columns), each [N, P, 1] and counted in pixels: [N, P, C]."""
    batch, channels, *sizes = x.shape
    count = at[0].shape[1]
    if mode == "nearest":
        first = [b.cast(b.cast(b.clamp(p, -2, s + 1), np.int32), np.float32) for p, s in zip(at, sizes, strict=True)]
    else:
        first = [b.unary("floor", place) for place in at]
    past = [b.sub(place, whole) for place, whole in zip(at, first, strict=True)]
    pixels = b.reshape(b.transpose(x, (0, 2, 3, 1)), (batch * sizes[0] * sizes[1], channels))
    images = np.arange(batch, dtype=np.float32).reshape(-1, 1, 1) * (sizes[0] * sizes[1])
    total: Tensor | None = None
    for steps in product(_MODES[mode], repeat=2):
        places = [b.shifted(place, step) for place, step in zip(first, steps, strict=True)]
        found = places
        if padding == "reflection":
            found = [_mirrored(b, place, size, aligned) for place, size in zip(places, sizes, strict=True)]
        inside = [b.clamp(place, 0, size - 1) for place, size in zip(found, sizes, strict=True)]
        flat = b.add(b.add(b.scaled(inside[0], sizes[1]), inside[1]), Tensor.constant(images))
        rows = b.cast(b.reshape(flat, (batch * count,)), np.int32)
        value = b.reshape(b.gather_rows(pixels, rows), (batch, count, channels))
        for i, step in enumerate(steps):
            if mode != "nearest":
                value = b.mul(value, _weight(b, past[i], step, mode))
            if padding == "zeros":
                value = b.select(b.compare("equal", inside[i], places[i]), value, b.splat(0, x.dtype, 3))
        total = value if total is None else b.add(total, value)
    assert total is not None
    return total


def _weight(b: Builder, past: Tensor, step: int, mode: str) -> Tensor:
    """That of the pixel `step` places behind the one that a place is `past`."""
    if not mode.endswith("cubic"):
        return past if step else b.sub(b.splat(1, past.dtype, past.rank), past)
    distance = b.shifted(past, -step) if step <= 0 else b.sub(b.splat(step, past.dtype, past.rank), past)
    powers = [1, 0, -(_A + 3), _A + 2] if step in _LINEAR else [-4 * _A, 8 * _A, -5 * _A, _A]
    result = b.scaled(distance, powers[3])
    for power in (powers[2], powers[1]):
        result = b.mul(b.shifted(result, power), distance)
    return b.shifted(result, powers[0])


def _mirrored(b: Builder, place: Tensor, size: int, aligned: bool) -> Tensor:
    """Into the image, which is mirrored at its corner pixels' centres if these are aligned, else at its borders."""
    low, span = (0.0, size - 1.0) if aligned else (-0.5, float(size))
    if span == 0:
        return b.scaled(place, 0)
    beyond = b.shifted(place, -low)
    turns = b.scaled(b.unary("floor", b.scaled(beyond, 0.5 / span)), 2 * span)
    return b.shifted(b.negate(b.unary("abs", b.shifted(b.sub(beyond, turns), -span))), low + span)


def _pixels(b: Builder, place: Tensor, size: int, aligned: bool) -> Tensor:
    """From -1 to 1 to pixels, whose centres are whole numbers."""
    half = (size - 1) / 2 if aligned else size / 2
    return b.shifted(b.scaled(place, half), (size - 1) / 2)


@operator("AffineGrid", since=20)
def affine_grid(b: Builder, node: Node) -> Tensor:
    theta, size = node.input(0), node.integers_input(1, "the size") or []
    aligned = bool(node.attribute("align_corners", 0))
    spatial = size[2:]
    axes = [_places(count, aligned) for count in spatial]
    columns = [*reversed(np.meshgrid(*axes, indexing="ij")), np.ones(spatial)]
    places = Tensor.constant(np.stack([column.reshape(-1) for column in columns]).astype(theta.dtype))
    grid = matrix_product(b, theta, places)
    return b.reshape(b.transpose(grid, (0, 2, 1)), (size[0], *spatial, len(spatial)))


def _places(count: int, aligned: bool) -> np.ndarray:
    """Pixels from -1 to 1: the inverse of `_pixels`."""
    half = (count - 1) / 2 if aligned else count / 2
    return (np.arange(count) - (count - 1) / 2) / max(half, 0.5)
