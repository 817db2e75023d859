"""The sums of a tile of a dense kernel, and what the kernel is made of: see dense.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers
from quantune_mlir.kernels.emit.byte_tables import ByteTables
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue
from quantune_mlir.kernels.emit.executable import JoinedPart
from quantune_mlir.kernels.emit.rounding import Narrowing
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.maddubs_list import WordBuffers, WordList
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import DotStep
from quantune_mlir.kernels.tiling.tiles import (
    Tile,
    Workgroup,
    choose_tile,
    choose_workgroup,
    has_heavy_weights,
    is_packed,
    reduction_steps,
)
from quantune_mlir.mlir.bindings import ir

_UNROLLED_STEPS: Final = 2
_AHEAD: Final = 24
"""Steps from the prefetch of weights to their use."""


@dataclass(frozen=True)
class InputView:
    """Where a workgroup finds its input: an element, and the distances of output rows, columns and kernel rows."""

    buffer: ir.Value
    at: Index
    row: int
    column: int
    kernel_row: int
    kernel_column: int
    """In pixels."""


@dataclass(frozen=True)
class Lines:
    """What all blocks of a workgroup share."""

    view: InputView
    source: ir.Value
    weights: ir.Value
    bias: ir.Value
    table: ir.Value | None
    """The table of the word list."""
    bound: Bound
    image: Index
    group: Index
    row: Index
    column: Index
    row_terms: ir.Value | None = None
    """What is added to all sums of a pixel of a product of two int8 tensors."""


def choose(
    group: Group, shape: ConvolutionShape, step: DotStep, stored: str, tables: ByteTables | None
) -> tuple[Tile, Workgroup, bool, Epilogue] | None:
    """Tile, workgroup, whether the input is packed, and the epilogue; None where a group cannot be computed so."""
    packed = is_packed(shape, step, stored)
    tile = choose_tile(shape, step, packed=packed)
    workgroup = choose_workgroup(shape, step, tile, packed=packed)
    epilogue = Epilogue(group, tables)
    if workgroup is None or not Buffers(epilogue).fit:
        return None
    return tile, workgroup, packed, epilogue


@dataclass(frozen=True)
class DenseTiles:
    """What a dense kernel is made of, and how it sums up a tile."""

    group: Group
    step: DotStep
    stored: str
    """Element type of the input in memory."""
    shape: ConvolutionShape
    tile: Tile
    workgroup: Workgroup
    packed: bool
    epilogue: Epilogue
    source: ir.Value
    narrowing: Narrowing | None
    words: WordList | None = None
    """The steps of the reduction, if they depend on the weights."""
    part: JoinedPart | None = None

    @property
    def _block(self) -> int:
        """Output channels of a block."""
        return self.tile.vectors * self.step.lanes

    @property
    def _streams(self) -> bool:
        """Whether the input of a tile follows that of the one before in memory."""
        return not self.packed and self.shape.is_pointwise

    # What follows is built inside the kernel. First what differs where the weights are not constant (product.py).

    def prepared(self, lines: Lines) -> Lines:
        """What all tiles of a workgroup need besides."""
        return lines

    def weights_of(self, image: Index) -> Index:
        """Where the weights for an image begin."""
        return 0

    def weight_strides(self, vectors: int) -> tuple[int, int]:
        """Elements from the weights of a step to those of the next, and from those of a vector to those of the next."""
        apart = self.step.lanes * self.step.depth
        return vectors * apart, apart

    def bias(self, lines: Lines, channel: Index) -> ir.Value:
        """What the sums of a vector of channels begin with."""
        return code.load(lines.bias, channel, self.step.lanes)

    def corrected(self, sums: list[list[ir.Value]], lines: Lines, column: Index) -> list[list[ir.Value]]:
        """The sums of each pixel of a tile as the epilogue takes them."""
        return sums

    def _columns(self) -> tuple[int, int, list[tuple[int, list[set[int]]]]]:
        """Where tiles start: range of those inside the image, and the others with what they miss.

        For each kernel column, the pixels of the tile that would read beyond the image there.
        """
        shape, tile = self.shape, self.tile
        if self.packed or not shape.pads:
            return 0, self.workgroup.columns, []
        inside: list[int] = []
        borders: list[tuple[int, list[set[int]]]] = []
        for start in range(0, shape.out_width, tile.columns):
            c = min(start, shape.out_width - tile.columns)
            missing = [
                {
                    j
                    for j in range(tile.columns)
                    if not 0 <= (c + j) * shape.stride[1] - shape.pad[1] + s * shape.dilation[1] < shape.width
                }
                for s in range(shape.kernel[1])
            ]
            if any(missing):
                borders.append((c, missing))
            else:
                inside.append(start)
        return (inside[0], inside[-1] + 1, borders) if inside else (0, 0, borders)

    def _accumulate(
        self, lines: Lines, channel: Index, vectors: int, row: Index, column: Index, missing: Sequence[set[int]]
    ) -> list[list[ir.Value]]:
        """The sums of a tile, for each pixel and vector; `missing` as `_columns` gives it, empty inside the image."""
        tile, step, view, shape = self.tile, self.step, lines.view, self.shape
        runs, steps = reduction_steps(shape, step.depth)
        weight, apart = self.weight_strides(vectors)
        lanes = ceil(shape.out_channels / step.lanes) * step.lanes
        channel_of_all = code.add(code.mul(lines.group, lanes), channel)
        start = code.add(self.weights_of(lines.image), code.mul(channel_of_all, runs * steps * step.depth))
        base = code.add(view.at, code.mul(row, view.row), code.mul(column, view.column))
        offsets = [i * view.row + j * view.column for i in range(tile.rows) for j in range(tile.columns)]
        whole = [*offsets, *offsets[-1:] * (-len(offsets) % step.pixels)]
        together = [whole[i : i + step.pixels] for i in range(0, len(whole), step.pixels)]
        biases = [self.bias(lines, code.add(channel_of_all, v * step.lanes)) for v in range(vectors)]
        if self.words is not None and lines.table is not None:
            buffers = WordBuffers(view.buffer, lines.weights, lines.table)
            block = code.divide(channel, self._block)
            return [[sums] for sums in self.words.emit(buffers, block, base, offsets, biases[0])]

        def one_step(
            x_at: Index,
            w_at: Index,
            pixels: Sequence[int],
            sums: Sequence[ir.Value],
            ahead: Sequence[ir.Value],
            turn: int,
        ) -> list[ir.Value]:
            places = [code.add(w_at, v * apart) for v in range(vectors)]
            columns = [step.weights(lines.weights, place) for place in places]
            result: list[ir.Value] = []
            for position, p in enumerate(pixels):
                if ahead:
                    x = step.of_turn(ahead[position], turn)
                else:
                    x = step.inputs(view.buffer, [code.add(x_at, offset) for offset in together[p]])
                result += [step.step(sums[position * vectors + v], x, columns[v]) for v in range(vectors)]
            return result

        def some_steps(
            x_at: Index, w_at: Index, count: int, pixels: Sequence[int], sums: Sequence[ir.Value]
        ) -> list[ir.Value]:
            for first, turns in code.powers(count, step.unrolled if step.reads_ahead else 1):
                x_of_first = code.add(x_at, first * step.depth)
                ahead: list[ir.Value] = []
                if turns > 1:
                    starts = [code.add(x_of_first, offset) for p in pixels for offset in together[p]]
                    ahead = [code.load(view.buffer, start, turns * step.depth) for start in starts]
                for turn in range(turns):
                    places = code.add(x_of_first, turn * step.depth), code.add(w_at, (first + turn) * weight)
                    sums = one_step(*places, pixels, sums, ahead, turn)
            return list(sums)

        def one_run(
            x_at: Index, w_at: Index, count: int, pixels: Sequence[int], sums: Sequence[ir.Value]
        ) -> list[ir.Value]:
            if count <= _UNROLLED_STEPS:
                return some_steps(x_at, w_at, count, pixels, sums)

            def several(j: Index, turns: int, sums: Sequence[ir.Value]) -> list[ir.Value]:
                x_of_step, w_of_step = code.add(x_at, code.mul(j, step.depth)), code.add(w_at, code.mul(j, weight))
                return some_steps(x_of_step, w_of_step, turns, pixels, sums)

            def body(j: Index, *carried: ir.Value) -> list[ir.Value]:
                if self._streams and step.prefetches:
                    share = len(offsets) * step.depth
                    code.prefetch(view.buffer, code.add(x_at, code.mul(j, share), count * share))
                if has_heavy_weights(shape, step) and step.prefetches:
                    w_of_step = code.add(w_at, code.mul(j, weight))
                    for first in range(0, weight, step.memory.line // step.weight_bytes):
                        code.prefetch(lines.weights, code.add(w_of_step, _AHEAD * weight, first))
                return several(j, step.unrolled, carried)

            rest = count % step.unrolled
            return several(count - rest, rest, code.loop(0, count - rest, step.unrolled, body, sums))

        kh, kw = shape.kernel
        everywhere = range(len(together))
        of_row = runs // kh * steps
        in_a_row = kw if missing else runs // kh
        of_run = of_row // in_a_row

        def kernel_row(r: Index, *carried: ir.Value) -> list[ir.Value]:
            sums = list(carried)
            for s in range(in_a_row):
                pixels = [p for p in everywhere if not missing or p not in missing[s]]
                picked = [p * vectors + v for p in pixels for v in range(vectors)]
                x_at = code.add(base, code.mul(r, view.kernel_row), s * view.kernel_column * shape.channels)
                w_at = code.add(start, code.mul(r, of_row * weight), s * of_run * weight)
                found = one_run(x_at, w_at, of_run, pixels, [sums[i] for i in picked])
                for i, value in zip(picked, found, strict=True):
                    sums[i] = value
            return sums

        first, last = self._kernel_rows(lines, row)
        initial = [step.start(biases[v]) for _ in together for v in range(vectors)]
        flat = [step.unpack(sums) for sums in code.loop(first, last, 1, kernel_row, initial)]
        rows = [
            [flat[p + v][i] for v in range(vectors)] for p in range(0, len(flat), vectors) for i in range(step.pixels)
        ]
        return rows[: len(offsets)]

    def _kernel_rows(self, lines: Lines, row: Index) -> tuple[Index, Index]:
        """The kernel rows that lie in the image for a tile of one row; all of them if the input was padded."""
        shape = self.shape
        kh, dh = shape.kernel[0], shape.dilation[0]
        if self.packed or not shape.pads:
            return 0, kh
        top = code.add(code.mul(code.add(lines.row, row), shape.stride[0]), -shape.pad[0])
        before = code.maximum(code.sub(0, top), 0)
        below = code.maximum(code.sub(shape.height, top), 0)
        first = code.divide(code.add(before, dh - 1), dh)
        return code.minimum(first, kh), code.minimum(code.divide(code.add(below, dh - 1), dh), kh)
