"""Which part of a convolution stays in registers, and which part a workgroup computes: a small static model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, prod
from typing import Final

from quantune_mlir.kernels.code import bytes_of
from quantune_mlir.kernels.isa.base import DotStep
from quantune_mlir.kernels.shapes import ConvolutionShape

SCRATCH_BYTES: Final = 32 * 1024
"""What a workgroup packs of its input, if it can be so little: half of a first-level cache, a quarter of a stack."""
MAX_SCRATCH_BYTES: Final = 64 * 1024
_MAX_VECTORS: Final = 4
_WORKGROUPS: Final = 4
"""Enough for a few threads to share a layer evenly."""
_MACS_OF_A_WORKGROUP: Final = 500_000
"""Below this a workgroup is not worth its start."""


@dataclass(frozen=True)
class Tile:
    """What one pass of the innermost loop keeps in registers: rows x columns pixels, `vectors` of output channels."""

    rows: int
    columns: int
    vectors: int


@dataclass(frozen=True)
class Workgroup:
    """What one workgroup computes: rows x columns pixels, and one of `splits` parts of the output channels."""

    rows: int
    columns: int
    splits: int


def reduction_steps(shape: ConvolutionShape, depth: int) -> tuple[int, int]:
    """The reduction as (runs, steps of each): what is contiguous in memory is one run, even across columns."""
    kh, kw = shape.kernel
    if shape.dilation[1] == 1 or kw == 1:
        return kh, ceil(kw * shape.channels / depth)
    return kh * kw, ceil(shape.channels / depth)


def choose_tile(shape: ConvolutionShape, step: DotStep) -> Tile:
    """The tile with the least modelled cycles: two dot products and two loads a cycle, padded work counted."""
    return min(_tiles(shape, step), key=lambda tile: _cycles(shape, step, tile))


def _tiles(shape: ConvolutionShape, step: DotStep) -> Iterator[Tile]:
    for vectors in range(1, min(_MAX_VECTORS, ceil(shape.out_channels / step.lanes)) + 1):
        pixels = (step.registers - vectors) // vectors * step.pixels
        for rows in range(1, min(pixels, shape.out_height) + 1):
            for columns in range(1, min(pixels // rows, shape.out_width) + 1):
                yield Tile(rows, columns, vectors)


def _cycles(shape: ConvolutionShape, step: DotStep, tile: Tile) -> float:
    steps = prod(reduction_steps(shape, step.depth))
    pixels = tile.rows * tile.columns
    passes = ceil(shape.out_height / tile.rows) * ceil(shape.out_width / tile.columns)
    vectors = ceil(shape.out_channels / step.lanes)
    full, rest = divmod(vectors, tile.vectors)

    def one(columns: int) -> float:
        dots, loads = ceil(pixels / step.pixels) * columns, pixels + columns
        return steps * (max(dots, loads) / 2 + 0.5) + 10 + 4 * dots

    return passes * (full * one(tile.vectors) + (one(rest) if rest else 0))


def scratch_rows(shape: ConvolutionShape, rows: int) -> int:
    """Input rows that so many output rows read; of a kernel of one row only those."""
    kh, sh, dh = shape.kernel[0], shape.stride[0], shape.dilation[0]
    return rows if kh == 1 else (rows - 1) * sh + (kh - 1) * dh + 1


def scratch_columns(shape: ConvolutionShape, columns: int) -> int:
    """Input columns that so many output columns read; of a kernel of one column only those."""
    kw, sw, dw = shape.kernel[1], shape.stride[1], shape.dilation[1]
    return columns if kw == 1 else (columns - 1) * sw + (kw - 1) * dw + 1


def scratch_bytes(shape: ConvolutionShape, step: DotStep, rows: int, columns: int) -> int:
    """The size of the packed input of so many output pixels."""
    elements = scratch_rows(shape, rows) * scratch_columns(shape, columns) * shape.channels
    return elements * bytes_of(step.element)


def choose_workgroup(shape: ConvolutionShape, step: DotStep, tile: Tile) -> Workgroup | None:
    """As many pixels as fit the scratch, whole rows before many rows; None if not even a tile fits."""

    def fits(rows: int, columns: int, limit: int = SCRATCH_BYTES) -> bool:
        return scratch_bytes(shape, step, rows, columns) <= limit

    columns = shape.out_width
    while columns > tile.columns and not fits(tile.rows, columns):
        columns = max(tile.columns, ceil(columns / 2 / tile.columns) * tile.columns)
    if not fits(tile.rows, columns, MAX_SCRATCH_BYTES):
        return None
    rows = tile.rows
    while rows < shape.out_height and fits(min(rows + tile.rows, shape.out_height), columns):
        rows = min(rows + tile.rows, shape.out_height)
    return _spread(shape, step, tile, rows, columns)


def _spread(shape: ConvolutionShape, step: DotStep, tile: Tile, rows: int, columns: int) -> Workgroup:
    """Smaller workgroups where there would be too few to share, as long as each has enough to do."""
    macs = prod((shape.batch, shape.out_height, shape.out_width, shape.out_channels, shape.channels, *shape.kernel))
    wanted = max(1, min(_WORKGROUPS, macs // _MACS_OF_A_WORKGROUP))

    def count() -> int:
        return shape.batch * ceil(shape.out_height / rows) * ceil(shape.out_width / columns)

    while count() < wanted and rows > tile.rows:
        rows = max(tile.rows, ceil(rows / 2 / tile.rows) * tile.rows)
    while count() < wanted and rows == tile.rows == 1 and columns > tile.columns:
        columns = max(tile.columns, ceil(columns / 2 / tile.columns) * tile.columns)
    blocks = shape.out_channels // (tile.vectors * step.lanes)
    splits = max(1, min(blocks, ceil(wanted / count())))
    return Workgroup(rows, columns, splits)
