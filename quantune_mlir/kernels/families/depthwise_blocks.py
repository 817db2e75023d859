"""Which part of an int8 depthwise convolution a workgroup computes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from quantune_mlir.hardware.memory import Memory
from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.depthwise import QUARTERS, UNIT
from quantune_mlir.kernels.tiling.thread_balance import START_CYCLES, Load, most_even, part_sizes
from quantune_mlir.kernels.tiling.tiles import scratch_columns
from quantune_mlir.mlir.bindings import ir

_WORD_BYTES = 4
_CYCLES_OF_A_TAP = 0.03
"""Cycles of one tap of one channel of an output pixel, with all that belongs to it: measured with AVX-512 VNNI."""


@dataclass(frozen=True)
class Block:
    """Rows x columns output pixels, some units of channels."""

    rows: int
    columns: int
    units: int
    band: int
    """Rows that are computed together, from the same words."""

    def down(self, shape: ConvolutionShape) -> int:
        """Blocks one below the other."""
        return ceil(shape.out_height / self.rows)

    def across(self, shape: ConvolutionShape) -> int:
        """Blocks side by side."""
        return ceil(shape.out_width / self.columns)

    def start(self, shape: ConvolutionShape, place: ir.Value) -> tuple[Index, Index]:
        """The first row and column of a block; the last ones are moved back to where they fit."""
        across = self.across(shape)
        down = 0 if self.down(shape) == 1 else code.divide(place, across)
        right = 0 if across == 1 else code.remainder(place, across)
        row = code.fitted(code.mul(down, self.rows), self.rows, shape.out_height)
        return row, code.fitted(code.mul(right, self.columns), self.columns, shape.out_width)


def band_rows(shape: ConvolutionShape, depth: int) -> int:
    """Output rows whose input rows fit the words that one of them needs, `depth` rows each."""
    rows = ceil(shape.kernel[0] / depth) * depth
    together = 1 if shape.dilation[0] > 1 else 1 + (rows - shape.kernel[0]) // shape.stride[0]
    return min(together, shape.out_height)


def scratch_size(shape: ConvolutionShape, depth: int, columns: int, units: int) -> int:
    """Bytes of the interleaved input of a band."""
    stride = shape.stride[1]
    positions = ceil(scratch_columns(shape, columns) / stride) * stride
    return ceil(shape.kernel[0] / depth) * QUARTERS * positions * units * QUARTERS * _WORD_BYTES


def choose_block(shape: ConvolutionShape, depth: int, width: int, memory: Memory) -> Block | None:
    """The block with the least redundant work whose interleaved input fits the scratch; None if none fits.

    Its rows, or units, are fewer where threads then share the blocks more evenly.

    Args:
        shape: the convolution.
        depth: kernel rows of a word.
        width: units of a vector; vectors reach across columns only where a block has all units.
        memory: of the core.
    """
    all_units = ceil(shape.channels / UNIT)
    found: list[tuple[int, int, int, int]] = []
    for limit in (memory.pack, max(memory.pack, memory.scratch)):
        for units in (all_units, *range(all_units // width * width, 0, -width)):
            for parts in range(1, shape.out_width + 1):
                columns = ceil(shape.out_width / parts)
                if scratch_size(shape, depth, columns, units) <= limit:
                    work = ceil(all_units / units) * units * parts * (columns + scratch_columns(shape, columns))
                    found.append((work, parts, columns, units))
                    break
        if found:
            break
    if not found:
        return None
    _, parts, columns, units = min(found)
    band = band_rows(shape, depth)

    def load(block: Block) -> Load:
        count = shape.batch * block.down(shape) * parts * ceil(all_units / block.units)
        elements = block.rows * (columns + scratch_columns(shape, columns)) / 2 * block.units * UNIT
        return Load(count, (START_CYCLES + _CYCLES_OF_A_TAP * elements * prod(shape.kernel),))

    halves = [u for u in (all_units // 2, all_units // 4) if u % width == 0 and 0 < u < units]
    rows = part_sizes(shape.out_height, band, shape.out_height)
    blocks = [Block(r, columns, u, band) for u in (units, *halves) for r in rows]
    return most_even((block, load(block)) for block in blocks)
