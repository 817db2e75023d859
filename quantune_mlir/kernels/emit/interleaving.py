"""The input of a band of output rows of an int8 depthwise convolution, interleaved for its dot products.

A word has more rows than a kernel of 3 needs, so the words of a band serve some output rows, each with weights of its
own: rows 0 to 3 are [w0 w1 w2 0] for one output row and [0 w0 w1 w2] for the next.

Scratch [word][quarter][parity][column][unit] of 16 bytes: what a kernel column reads for neighbouring output columns is
contiguous. Where the stride is 2 or 3, columns of equal parity (column mod stride) stand together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.depthwise_blocks import Block
from quantune_mlir.kernels.isa.depthwise import QUARTERS, RUN, UNIT, DepthwiseStep
from quantune_mlir.kernels.tiling.tiles import scratch_columns
from quantune_mlir.mlir.bindings import arith, ir

Load = Callable[[Index, int], list[ir.Value]]
"""So many elements of each input row of the band, from an offset in the row on."""


def unit_channel(shape: ConvolutionShape, unit: Index) -> Index:
    """The first channel of a unit; the last unit is moved back to where it fits, if there are 16 channels."""
    return 0 if shape.channels < UNIT else code.fitted(code.mul(unit, UNIT), UNIT, shape.channels)


@dataclass(frozen=True)
class Interleaving:
    """The scratch of a block."""

    shape: ConvolutionShape
    block: Block
    step: DepthwiseStep
    width: int
    """Units of a vector."""

    @property
    def words(self) -> int:
        """Words of each column and channel."""
        return ceil(self.shape.kernel[0] / self.step.depth)

    @property
    def _input_rows(self) -> list[int]:
        """The input rows of a band, counted from the first."""
        (kh, _), (sh, _), (dh, _) = self.shape.kernel, self.shape.stride, self.shape.dilation
        return [r * dh for r in range((self.block.band - 1) * sh + kh)]

    @property
    def size(self) -> int:
        """Elements, with what the last vector may read beyond."""
        return self._at(self.words, 0, 0, 0) + self.width * self._unit

    @property
    def _unit(self) -> int:
        """Elements of a unit in one quarter."""
        return RUN * self.step.depth

    @property
    def _columns(self) -> int:
        return scratch_columns(self.shape, self.block.columns)

    @property
    def _spacing(self) -> int:
        """Distance of input columns in the scratch: of kernels of one column only the needed ones are there."""
        return self.shape.stride[1] if self.shape.kernel[1] == 1 else 1

    @property
    def _parities(self) -> int:
        return self.shape.stride[1] // self._spacing

    def _at(self, word: int, quarter: int, parity: int, unit: Index) -> Index:
        line = ceil(self._columns / self._parities) * self.block.units
        quarters = (word * QUARTERS + quarter) * self._parities + parity
        return code.mul(code.add(unit, quarters * line), self._unit)

    def at(self, kernel_column: int, word: int, quarter: int, unit: Index) -> Index:
        """Where an output unit (counted along the row) finds what a kernel column multiplies."""
        position, parity = divmod(kernel_column * self.shape.dilation[1], self._parities)
        return self._at(word, quarter, parity, code.add(unit, position * self.block.units))

    def pad(self, scratch: ir.Value, column: Index, padding: ir.Value) -> None:
        """Fill the columns beyond the image, which are the same for all rows."""
        begin, end = self._inside(column)
        rows = [code.broadcast(padding, UNIT)] * self.step.depth
        filler = self.step.interleave(rows)[0]

        def fill(word: int, quarter: int, parity: int, low: Index, high: Index) -> None:
            def body(unit: Index) -> list[ir.Value]:
                code.store(filler, scratch, self._at(word, quarter, parity, unit))
                return []

            code.loop(code.mul(low, self.block.units), code.mul(high, self.block.units), 1, body)

        for parity in range(self._parities):
            first, last = self._of_parity(begin, parity), self._of_parity(end, parity)
            for word in range(self.words):
                for quarter in range(QUARTERS):
                    fill(word, quarter, parity, 0, first)
                    fill(word, quarter, parity, last, self._of_parity(self._columns, parity))

    def emit(
        self,
        source: ir.Value,
        scratch: ir.Value,
        image: Index,
        row: Index,
        column: Index,
        unit: Index,
        padding: ir.Value,
    ) -> None:
        """Interleave what the band at output row `row` reads from output column `column` and channel unit `unit` on."""
        shape = self.shape
        first = code.add(code.mul(row, shape.stride[0]), -shape.pad[0])
        rows = [code.add(first, r) for r in self._input_rows]

        def line(y: Index) -> Index:
            return code.mul(code.add(code.mul(image, shape.height), y), shape.width * shape.channels)

        def inner() -> None:
            lines = [line(y) for y in rows]

            def load(at: Index, count: int) -> list[ir.Value]:
                return [self._load(source, code.add(start, at), count) for start in lines]

            self._columns_of(scratch, column, unit, load)

        def border() -> None:
            lines = [line(code.minimum(code.maximum(y, 0), shape.height - 1)) for y in rows]
            inside = [code.is_within(y, shape.height) for y in rows]

            def load(at: Index, count: int) -> list[ir.Value]:
                filler = code.broadcast(padding, count)
                loaded = [self._load(source, code.add(start, at), count) for start in lines]
                return [code.select(is_in, row, filler) for is_in, row in zip(inside, loaded, strict=True)]

            self._columns_of(scratch, column, unit, load)

        last = (shape.out_height - self.block.band) * shape.stride[0] - shape.pad[0] + self._input_rows[-1]
        if shape.pad[0] <= 0 and last < shape.height:
            inner()
            return
        first_in, last_in = (code.is_within(y, shape.height) for y in (rows[0], rows[-1]))
        code.when(arith.AndIOp(first_in, last_in).result, inner, border)

    def _inside(self, column: Index) -> tuple[Index, Index]:
        """The columns of the scratch that lie in the image, from the first to after the last."""
        shape, spacing = self.shape, self._spacing
        last = (shape.out_width - 1) * shape.stride[1] - shape.pad[1] + (shape.kernel[1] - 1) * shape.dilation[1]
        if shape.pad[1] <= 0 and last < shape.width:
            return 0, self._columns
        first = self._first_column(column)
        before = code.divide(code.add(code.maximum(code.sub(0, first), 0), spacing - 1), spacing)
        until = code.divide(code.add(code.maximum(code.sub(shape.width, first), 0), spacing - 1), spacing)
        begin = code.minimum(before, self._columns)
        return begin, code.maximum(code.minimum(until, self._columns), begin)

    def _first_column(self, column: Index) -> Index:
        return code.add(code.mul(column, self.shape.stride[1]), -self.shape.pad[1])

    def _of_parity(self, column: Index, parity: int) -> Index:
        """How many columns before `column` have this parity."""
        return code.divide(code.add(column, self._parities - 1 - parity), self._parities)

    def _load(self, source: ir.Value, at: Index, count: int) -> ir.Value:
        there = self.shape.channels if self.shape.channels < UNIT else count
        return code.load_lanes(source, at, there, count)

    def _columns_of(self, scratch: ir.Value, column: Index, unit: Index, load: Load) -> None:
        shape, units = self.shape, self.block.units
        begin, end = self._inside(column)
        first = self._first_column(column)
        is_flat = shape.channels % UNIT == 0 and units * UNIT == shape.channels and self._parities * self._spacing == 1
        if is_flat:
            start = code.mul(first, shape.channels)
            low, high = code.mul(begin, units), code.mul(end, units)
            self._run(scratch, 0, low, high, load, lambda u: code.add(start, code.mul(u, UNIT)))
            return
        for parity in range(self._parities):

            def pixel(i: Index, parity: int = parity) -> list[ir.Value]:
                x = code.mul(code.add(code.mul(i, self._parities), parity), self._spacing)
                at = code.mul(code.add(first, x), shape.channels)
                low = code.mul(i, units)
                moved = 0 if shape.channels % UNIT == 0 else 1

                def channel(u: Index) -> Index:
                    return code.add(at, code.mul(code.add(unit, code.sub(u, low)), UNIT))

                self._run(scratch, parity, low, code.add(low, units - moved), load, channel, units - moved)
                if moved:
                    last = code.add(at, unit_channel(shape, code.add(unit, units - 1)))
                    self._interleave(scratch, parity, code.add(low, units - 1), load, last, 1)
                return []

            code.loop(self._of_parity(begin, parity), self._of_parity(end, parity), 1, pixel)

    def _run(
        self,
        scratch: ir.Value,
        parity: int,
        low: Index,
        high: Index,
        load: Load,
        source_of: Callable[[Index], Index],
        known: int | None = None,
    ) -> None:
        """Units low to high, which are neighbours in memory; `known` is their number where it is known."""
        width = self.width
        if isinstance(low, int) and isinstance(high, int):
            known = high - low

        def several(count: int, limit: Index | None = None) -> Callable[[Index], list[ir.Value]]:
            def body(u: Index) -> list[ir.Value]:
                start = u if limit is None else code.minimum(u, limit)
                self._interleave(scratch, parity, start, load, source_of(start), count)
                return []

            return body

        if known is None:
            whole = code.add(low, code.mul(code.divide(code.sub(high, low), width), width))
            code.loop(low, whole, width, several(width))
            code.loop(whole, high, 1, several(1))
        elif known >= width:
            limit = None if known % width == 0 else code.sub(high, width)
            code.loop(low, high, width, several(width, limit))
        else:
            for at, count in code.powers(known, width):
                several(count)(code.add(low, at))

    def _interleave(self, scratch: ir.Value, parity: int, unit: Index, load: Load, at: Index, count: int) -> None:
        """`count` units, from element `at` of the input rows to `unit` of the scratch.

        Rows that a word has too many meet weights of 0.
        """
        rows = load(at, count * UNIT)
        depth = self.step.depth
        for word in range(self.words):
            given = rows[word * depth : (word + 1) * depth]
            given += given[-1:] * (depth - len(given))
            for quarter, value in enumerate(self.step.interleave(given)):
                code.store(value, scratch, self._at(word, quarter, parity, unit))
