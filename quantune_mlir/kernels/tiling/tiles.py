"""Which part of a convolution stays in registers, and which part a workgroup computes: a small static model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, gcd, inf, prod
from typing import Final, overload

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.emit.vector_builder import Index, bytes_of
from quantune_mlir.kernels.isa.base import DotStep
from quantune_mlir.kernels.tiling.thread_balance import START_CYCLES, Load, most_even, part_sizes

_KEPT: Final = 4096
"""Choices that are kept: run 2 asks for each several times."""
_COMPARED: Final = 16
"""For so many tiles the workgroups are looked at, too."""
_MOST_BORDER_TAPS: Final = 1024
"""A window of 33 columns over an image padded by 32 has more, and one of 256 made two megabytes of code."""
_WORKGROUPS: Final = 4
"""Enough for a few threads."""
_MANY: Final = 8
"""So many are enough for threads of unequal speed: then output channels are not split, and input not packed twice."""


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

    @overload
    def first_block(self, split: int, blocks: int) -> int: ...

    @overload
    def first_block(self, split: Index, blocks: int) -> Index: ...

    def first_block(self, split: Index, blocks: int) -> Index:
        """The first of so many whole blocks of output channels that a part has; after the last part, their number."""
        return code.divide(code.add(code.mul(split, blocks), self.splits - 1), self.splits)


def reduction_steps(shape: ConvolutionShape, depth: int) -> tuple[int, int]:
    """The reduction as (runs, steps of each): what is contiguous in memory is one run, even across columns."""
    kh, kw = shape.kernel
    if shape.dilation[1] == 1 or kw == 1:
        return kh, ceil(kw * shape.channels / depth)
    return kh * kw, ceil(shape.channels / depth)


def is_packed(shape: ConvolutionShape, step: DotStep, stored: str) -> bool:
    """Whether a workgroup copies its input: it must be converted, or padded with a zero point, or is read beyond.

    Of several groups it copies its own channels. Where padding is wide, tiles at the border would be too much code.
    """
    if shape.groups > 1 or _border_taps(shape) > _MOST_BORDER_TAPS:
        return True
    ragged = prod(reduction_steps(shape, step.depth)) * step.depth != shape.channels * prod(shape.kernel)
    return ragged or step.element != stored or step.offset != 0 or (shape.pads and stored != "f32")


def _border_taps(shape: ConvolutionShape) -> int:
    """Taps of all pixels of a row that read beyond the image somewhere, which are written out if nothing is copied."""
    padded = (shape.out_width - 1) * shape.stride[1] + (shape.kernel[1] - 1) * shape.dilation[1] + 1 - shape.width
    return max(0, padded) // shape.stride[1] * shape.kernel[1]


@lru_cache(maxsize=_KEPT)
def choose_tile(shape: ConvolutionShape, step: DotStep, *, packed: bool) -> Tile:
    """The tile with the least modelled cycles: two dot products and two loads a cycle, padded work counted."""
    return ranked_tiles(shape, step, packed=packed)[0]


def ranked_tiles(shape: ConvolutionShape, step: DotStep, *, packed: bool) -> list[Tile]:
    """Tiles that there are registers for, that with the least modelled cycles first.

    The first ones, whose order matters, by what their workgroups compute in all; the others by the output alone.
    """
    tiles = _tiles(shape, step, one_row=_skips_borders(shape, packed=packed))
    first_guess = sorted(tiles, key=lambda tile: _cycles(shape, step, tile))

    def cycles(tile: Tile) -> float:
        sizes = _sizes(shape, step, tile, packed=packed)
        return min((_cycles(shape, step, tile, rows, columns) for rows, columns in sizes), default=inf)

    return sorted(first_guess[:_COMPARED], key=cycles) + first_guess[_COMPARED:]


def _tiles(shape: ConvolutionShape, step: DotStep, *, one_row: bool) -> Iterator[Tile]:
    for vectors in range(1, min(step.most_vectors, ceil(shape.out_channels / step.lanes)) + 1):
        pixels = (step.registers - vectors) // (vectors + step.reads_ahead) * step.pixels
        for rows in range(1, 2 if one_row else min(pixels, shape.out_height) + 1):
            for columns in range(1, min(pixels // rows, shape.out_width) + 1):
                yield Tile(rows, columns, vectors)


def _cycles(shape: ConvolutionShape, step: DotStep, tile: Tile, rows: int = 0, columns: int = 0) -> float:
    """Cycles of all workgroups of rows x columns pixels; without these, of one that computes the whole output."""
    rows, columns = rows or shape.out_height, columns or shape.out_width
    passes = ceil(rows / tile.rows) * ceil(columns / tile.columns) * _count(shape, rows, columns)
    full, rest = divmod(ceil(shape.out_channels / step.lanes), tile.vectors)
    of_rest = _tile_cycles(shape, step, tile, rest) if rest else 0
    return passes * (full * _tile_cycles(shape, step, tile, tile.vectors) + of_rest)


def _tile_cycles(shape: ConvolutionShape, step: DotStep, tile: Tile, vectors: int) -> float:
    """Cycles of the reduction and the epilogue of one tile, with so many vectors of output channels."""
    pixels = tile.rows * tile.columns
    load = 3 if _is_crowded(shape, step, pixels) else 1
    dots, loads = ceil(pixels / step.pixels) * vectors, load * pixels + vectors
    return prod(reduction_steps(shape, step.depth)) * (max(dots, loads) / 2 + 0.5) + 10 + 4 * dots


def _is_crowded(shape: ConvolutionShape, step: DotStep, pixels: int) -> bool:
    """Whether pixels side by side displace each other from the first-level cache: where a tile reads a line of each."""
    apart = shape.stride[1] * shape.channels * bytes_of(step.element)
    return pixels * gcd(apart, step.memory.way) > step.memory.l1


def _skips_borders(shape: ConvolutionShape, *, packed: bool) -> bool:
    """Whether taps beyond the border are left out, as nothing is copied: then tiles and workgroups have whole rows."""
    return shape.pads and not packed


def scratch_rows(shape: ConvolutionShape, rows: int) -> int:
    """Input rows that so many output rows read; of a kernel of one row only those."""
    return _span(shape, 0, rows, shape.dilation[0])


def scratch_columns(shape: ConvolutionShape, columns: int) -> int:
    """Input columns that so many output columns read; of a kernel of one column only those."""
    return _span(shape, 1, columns, shape.dilation[1])


def packed_dilation(shape: ConvolutionShape, axis: int, size: int) -> int:
    """Distance of taps in the packed input of `size` output rows (axis 0) or columns: what no tap reads is left out."""
    return min(shape.dilation[axis], (size - 1) * shape.stride[axis] + 1)


def packed_size(shape: ConvolutionShape, axis: int, size: int) -> int:
    """Rows or columns of the packed input of so many output rows or columns."""
    return _span(shape, axis, size, packed_dilation(shape, axis, size))


def _span(shape: ConvolutionShape, axis: int, size: int, dilation: int) -> int:
    kernel, stride = shape.kernel[axis], shape.stride[axis]
    return size if kernel == 1 else (size - 1) * stride + (kernel - 1) * dilation + 1


def scratch_bytes(shape: ConvolutionShape, step: DotStep, rows: int, columns: int) -> int:
    """The size of the packed input of so many output pixels."""
    elements = packed_size(shape, 0, rows) * packed_size(shape, 1, columns) * shape.channels
    return elements * bytes_of(step.element)


def has_heavy_weights(shape: ConvolutionShape, step: DotStep) -> bool:
    """Whether the weights come from beyond the second-level cache."""
    return _reduction_bytes(shape, step) * shape.out_channels >= step.memory.heavy_weights


def _reduction_bytes(shape: ConvolutionShape, step: DotStep) -> int:
    """The weights of an output channel."""
    return prod(reduction_steps(shape, step.depth)) * step.depth * step.weight_bytes


@lru_cache(maxsize=_KEPT)
def choose_workgroup(shape: ConvolutionShape, step: DotStep, tile: Tile, *, packed: bool) -> Workgroup | None:
    """Workgroups that fit the caches and that threads share evenly; None if the scratch holds no tile's input."""
    sizes = _sizes(shape, step, tile, packed=packed)
    blocks = _blocks(shape, step, tile)
    groups = [
        Workgroup(rows, columns, splits)
        for rows, columns in sizes
        for splits in range(1, max(1, min(blocks, _MANY // _count(shape, rows, columns))) + 1)
    ]
    if not groups:
        return None
    return most_even((group, _load(shape, step, tile, group, packed=packed)) for group in groups)


def _sizes(shape: ConvolutionShape, step: DotStep, tile: Tile, *, packed: bool) -> list[tuple[int, int]]:
    """Rows x columns that a workgroup may have; none if the scratch cannot hold even a tile's input."""
    largest = _largest(shape, step, tile, packed=packed)
    if largest is None:
        return []
    whole_rows = _skips_borders(shape, packed=packed)
    columns = [shape.out_width] if whole_rows else part_sizes(largest[1], tile.columns, shape.out_width)
    return [(r, c) for r in part_sizes(largest[0], tile.rows, shape.out_height) for c in columns]


def _largest(shape: ConvolutionShape, step: DotStep, tile: Tile, *, packed: bool) -> tuple[int, int] | None:
    """As many pixels as fit a cache, rows x columns, whole rows before many rows; None if not even a tile fits."""
    reduction, memory = _reduction_bytes(shape, step), step.memory
    is_heavy = has_heavy_weights(shape, step)
    beside_weights = memory.block - reduction * tile.vectors * step.lanes
    budget = min(max(beside_weights, memory.least_pack), memory.pack)
    if not packed:
        budget = memory.heavy_input if is_heavy else memory.input
    elif is_heavy:
        budget = memory.scratch
    elif shape.kernel == (1, 1):
        budget = memory.least_pack

    if packed:
        budget = min(budget, memory.scratch)

    def fits(rows: int, columns: int, limit: int = budget) -> bool:
        return scratch_bytes(shape, step, rows, columns) <= limit

    columns = shape.out_width
    whole_rows = _skips_borders(shape, packed=packed)
    while columns > tile.columns and not whole_rows and not fits(tile.rows, columns):
        columns = max(tile.columns, ceil(columns / 2 / tile.columns) * tile.columns)
    if packed and not fits(tile.rows, columns, memory.scratch):
        return None
    rows = tile.rows
    while rows < shape.out_height and fits(min(rows + tile.rows, shape.out_height), columns):
        rows = min(rows + tile.rows, shape.out_height)
    return rows, columns


def _blocks(shape: ConvolutionShape, step: DotStep, tile: Tile) -> int:
    """Whole blocks of output channels, at least one."""
    return max(1, shape.out_channels // (tile.vectors * step.lanes))


def _load(shape: ConvolutionShape, step: DotStep, tile: Tile, group: Workgroup, *, packed: bool) -> Load:
    """What workgroups compute and pack, and the weights that each brings to the first-level cache."""
    memory = step.memory
    full, rest = divmod(ceil(shape.out_channels / step.lanes), tile.vectors)
    tiles = ceil(group.rows / tile.rows) * ceil(group.columns / tile.columns)
    block = tiles * _tile_cycles(shape, step, tile, tile.vectors)
    weights = _reduction_bytes(shape, step) * shape.out_channels / group.splits
    start = START_CYCLES + weights / (memory.far_rate if has_heavy_weights(shape, step) else memory.l2_rate)
    if packed:
        start += scratch_bytes(shape, step, group.rows, group.columns) / memory.pack_rate
    firsts = [group.first_block(split, full) for split in range(group.splits + 1)]
    cycles = [start + (end - first) * block for first, end in pairwise(firsts)]
    cycles[-1] += tiles * _tile_cycles(shape, step, tile, rest) if rest else 0.0
    return Load(_count(shape, group.rows, group.columns), tuple(cycles))


def varied_workgroups(shape: ConvolutionShape, step: DotStep, tile: Tile, *, packed: bool) -> list[Workgroup]:
    """The model's workgroup first, then some of half or twice its size; none if no scratch holds a tile's input.

    There are never fewer workgroups than the model's, or than a few threads can share evenly.
    """
    chosen = choose_workgroup(shape, step, tile, packed=packed)
    if chosen is None:
        return []
    least = min(_WORKGROUPS, _count(shape, chosen.rows, chosen.columns) * chosen.splits)
    blocks = _blocks(shape, step, tile)
    rows = _halved_and_doubled(chosen.rows, tile.rows, shape.out_height)
    whole_rows = _skips_borders(shape, packed=packed)
    columns = [] if whole_rows else _halved_and_doubled(chosen.columns, tile.columns, shape.out_width)
    sizes = [(r, chosen.columns) for r in rows] + [(chosen.rows, c) for c in columns]
    found = [chosen, *(Workgroup(chosen.rows, chosen.columns, splits) for splits in (1, chosen.splits * 2))]
    found += [Workgroup(r, c, min(blocks, ceil(least / _count(shape, r, c)))) for r, c in sizes]

    def is_possible(group: Workgroup) -> bool:
        fits = not packed or scratch_bytes(shape, step, group.rows, group.columns) <= step.memory.scratch
        return fits and group.splits <= blocks and _count(shape, group.rows, group.columns) * group.splits >= least

    return list(dict.fromkeys(filter(is_possible, found)))


def _halved_and_doubled(size: int, unit: int, most: int) -> list[int]:
    """Half and twice a number of pixels, in whole tiles."""
    return [max(unit, ceil(size / 2 / unit) * unit), min(2 * size, most)]


def _count(shape: ConvolutionShape, rows: int, columns: int) -> int:
    return shape.batch * shape.groups * ceil(shape.out_height / rows) * ceil(shape.out_width / columns)
