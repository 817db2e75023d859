"""Rows of a resized image, a block of columns and channels at a time.

Rows of the image are interpolated along columns into scratch, even ones into its first half, odd ones into the other:
a row of the result reads two neighbours, which the next rows find there. Pixels that are narrower than a vector are
read from a copy of their row and written with more lanes than they have, which the next pixel overwrites.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import described
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue, Place, widened
from quantune_mlir.kernels.emit.executable import JoinedPart
from quantune_mlir.kernels.emit.runs import copy, pieces
from quantune_mlir.kernels.emit.vector_builder import F32, I8, Index
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.mlir.bindings import arith, ir, vector
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa.resizing import ResizedAxis, is_nearest, resized_axes

_VECTORS: Final = 4
_LARGEST_CODE: Final = 128
_NUMBER_BYTES: Final = 4

Slots = tuple[Index, Index]
"""Where something begins in both rows of scratch that a row of the result reads."""


@dataclass(frozen=True)
class Block:
    """What of a row of the result is computed at a time."""

    columns: int
    channels: int
    pixels: int
    """Columns of the image, at most, that they take."""

    @staticmethod
    def within(budget: int, columns: ResizedAxis, channels: int, lanes: int) -> Block | None:
        """The largest one whose rows, two interpolated and one of the image, fill so many bytes; None if none does."""
        most = budget // _NUMBER_BYTES - 3 * lanes
        together = channels if 4 * channels <= most else most // 4 // lanes * lanes
        if together <= 0:
            return None
        results = len(columns.pixels)
        width = results
        while True:
            starts = [min(first, results - width) for first in range(0, results, width)]
            pixels = max(int(columns.pixels[i + width - 1, 1] - columns.pixels[i, 0]) + 1 for i in starts)
            if width == 1 or (2 * width + pixels) * together <= most:
                return Block(width, together, pixels)
            width = ceil(width / 2)


@dataclass(frozen=True)
class ResizedRows:
    """The kernel of a resize, inside it."""

    group: Group
    block: Block
    epilogue: Epilogue
    lanes: int
    part: JoinedPart | None
    bound: Bound
    image: tuple[int, ...]
    """Batch, height, width and channels of what is resized."""
    result: tuple[int, ...]
    kind: str
    """The element type of interpolated rows: that of the root's result."""
    limit: float
    """What interpolated codes do not exceed in magnitude."""
    source: ir.Value
    pixels: ir.Value
    """Both that each row of the result reads, then the first elements of both that each column does."""
    shares: ir.Value | None
    """Of both, in this order; None: the nearest pixel is all."""
    rows: ir.Value
    """The scratch."""
    line: ir.Value | None
    """Scratch for a row of the image, if pixels are narrow."""

    @staticmethod
    def begin(
        group: Group,
        block: Block,
        epilogue: Epilogue,
        lanes: int,
        part: JoinedPart | None,
        buffers: tuple[ir.Value, ir.Value, ir.Value | None],
        bound: Bound,
    ) -> ResizedRows:
        """`buffers`: source, pixels and shares."""
        root = group.root
        assert root is not None
        axes = resized_axes(root)
        assert axes is not None
        image, result, kind = shape_of(root.operands[0]), shape_of(root.results[0]), described(root.results[0])[1]
        limit = inf if kind == F32 else float(_LARGEST_CODE * axes[0].parts * axes[1].parts)
        row = block.columns * block.channels + lanes
        rows = code.scratch(row if is_nearest(root) else 2 * row, kind)
        line = code.scratch(block.pixels * block.channels + lanes, kind) if block.channels < lanes else None
        return ResizedRows(group, block, epilogue, lanes, part, bound, image, result, kind, limit, *buffers, rows, line)

    @property
    def _widest(self) -> int:
        """Lanes of the longest vector of what rows hold."""
        return self.lanes * (_VECTORS if self.kind == I8 else 1)

    def emit(self, image: Index, rows: tuple[Index, Index], column: Index, channel: Index) -> None:
        """Some rows of the result, of the block that begins at `column` and `channel`."""

        def row(y: Index, following: ir.Value) -> list[ir.Value]:
            first, second = self._pair(code.mul(y, 2))

            def interpolated(r: Index) -> list[ir.Value]:
                self._interpolate(image, r, column, channel)
                return []

            behind = code.add(second, 1)
            code.loop(code.maximum(following, first), behind, 1, interpolated)
            self._finish(image, y, column, channel, (self._slot(first), self._slot(second)))
            return [code.index(behind)]

        first_row, last_row = rows
        code.loop(first_row, last_row, 1, row, [code.index(0)])

    def _pair(self, at: Index) -> tuple[ir.Value, ir.Value]:
        first, second = (code.load_scalar(self.pixels, code.add(at, i)) for i in (0, 1))
        index = ir.IndexType.get()
        return arith.IndexCastOp(index, first).result, arith.IndexCastOp(index, second).result

    def _of_column(self, x: Index) -> Index:
        """Where a column stands in the tables, behind all rows."""
        return code.mul(code.add(x, self.result[1]), 2)

    def _slot(self, row: Index) -> Index:
        if self.shares is None:
            return 0
        return code.mul(code.remainder(row, 2), self.block.columns * self.block.channels + self.lanes)

    def _blend(self, at: Index, first: ir.Value, second: ir.Value) -> ir.Value:
        """first * its share + second * its share; these stand at `at`."""
        assert self.shares is not None
        lanes = ir.VectorType(first.type).shape[0]
        of_first, of_second = (code.broadcast(code.load_scalar(self.shares, code.add(at, i)), lanes) for i in (0, 1))
        if self.kind == F32:
            return vector.FMAOp(second, of_second, arith.MulFOp(first, of_first).result).result
        return arith.AddIOp(arith.MulIOp(first, of_first).result, arith.MulIOp(second, of_second).result).result

    def _interpolate(self, image: Index, row: Index, column: Index, channel: Index) -> None:
        """A row of the image along columns."""
        _, height, width, channels = self.image
        begin = code.mul(code.add(code.mul(image, height), row), width * channels)
        slot = self._slot(row)
        base = code.add(begin, channel)
        if self.line is not None:
            first = code.minimum(self._pair(self._of_column(column))[0], (width - self.block.pixels) * channels)
            self._copy(code.add(begin, first), self.line, self.block.pixels * channels)
            base = code.sub(0, first)

        def pixel(x: Index) -> list[ir.Value]:
            at = self._of_column(code.add(column, x))
            first, second = (code.add(base, place) for place in self._pair(at))
            self._interpolate_pixel(at, first, second, code.add(slot, code.mul(x, self.block.channels)))
            return []

        code.loop(0, self.block.columns, 1, pixel)

    def _copy(self, begin: Index, line: ir.Value, size: int) -> None:
        def move(first: Index, count: int) -> None:
            for i, piece in code.powers(count, self.lanes):
                at = code.add(first, i)
                code.store(self._read(code.add(begin, at), piece), line, at)

        pieces(size, self.lanes, move)

    def _read(self, at: Index, lanes: int) -> ir.Value:
        """Elements of the image as they are interpolated."""
        self.bound.loaded.clear()
        loaded = code.load(self.source, at, lanes)
        if not self.group.prologue and self.kind in (I8, F32):
            return loaded
        return self.epilogue.prepare(loaded, Place(at, 0, lanes), lanes, self.bound)

    def _interpolate_pixel(self, at: Index, first: Index, second: Index, to: Index) -> None:
        """The channels of a pixel; the last ones are moved back to where they fit."""
        channels = self.block.channels

        def some(start: Index, lanes: int) -> None:
            def read(pixel: Index) -> ir.Value:
                place = code.add(pixel, start)
                return self._read(place, lanes) if self.line is None else code.load(self.line, place, lanes)

            value = read(first) if self.shares is None else self._blend(at, read(first), read(second))
            code.store(value, self.rows, code.add(to, start))

        if self.line is not None:
            some(0, 1 << (channels - 1).bit_length())
            return
        lanes = min(self._widest, 1 << (channels.bit_length() - 1))
        together = min(_VECTORS, channels // lanes) * lanes

        def vectors(k: Index) -> list[ir.Value]:
            start = code.fitted(k, together, channels)
            for inside in range(0, together, lanes):
                some(code.add(start, inside), lanes)
            return []

        code.loop(0, channels, together, vectors)

    def _finish(self, image: Index, y: Index, column: Index, channel: Index, slots: Slots) -> None:
        """A row of the result, of two interpolated ones."""
        _, height, width, channels = self.result
        pixel = code.add(code.mul(code.add(code.mul(image, height), y), width), column)
        if self.part is None and not self.epilogue.depends_on_channel and self.block.channels == channels:
            self._finish_run(y, slots, Place(code.mul(pixel, channels), channel, self.block.columns * channels))
            return

        def one(x: Index) -> list[ir.Value]:
            here = code.add(pixel, x)
            of_pixel = code.mul(x, self.block.channels)
            to = None
            if self.part is not None:
                to = code.add(code.mul(here, self.part.of.channels), channel, self.part.first)
            place = Place(code.add(code.mul(here, channels), channel), channel, self.block.channels, to=to)
            first, second = (code.add(slot, of_pixel) for slot in slots)
            self._finish_run(y, (first, second), place)
            return []

        code.loop(0, self.block.columns, 1, one)

    def _finish_run(self, y: Index, slots: Slots, run: Place) -> None:
        """All elements of `run`, which are neighbours, some vectors at once; the last ones moved back."""
        size = run.count
        if self.shares is None and not self.group.epilogue:
            copy(self.rows, slots[0], self.bound.output, run.target, size, self._widest)
            return
        together = min(_VECTORS, size // self.lanes) * self.lanes or size

        def some(i: Index) -> list[ir.Value]:
            start = code.fitted(i, together, size)
            self.bound.loaded.clear()
            for inside in range(0, together, self.lanes):
                self._finish_vector(y, slots, run, code.add(start, inside), min(self.lanes, together), inside)
            return []

        code.loop(0, size, together, some)

    def _finish_vector(self, y: Index, slots: Slots, run: Place, moved: Index, count: int, column: int) -> None:
        first, second = (code.load_lanes(self.rows, code.add(slot, moved), count, self.lanes) for slot in slots)
        nearest = self.shares is None
        value = widened(first, self.lanes).value if nearest else self._blend(code.mul(y, 2), first, second)
        to = None if run.to is None else code.add(run.to, moved)
        place = Place(code.add(run.at, moved), code.add(run.channel, moved), count, column, to=to)
        self.epilogue.finish(value, place, self.lanes, self.bound, self.limit)
