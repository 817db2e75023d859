"""A workgroup's part of the input, copied to scratch: borders padded, elements as the dot product wants them.

Every element is converted once, not each time a tile reads it. Rows and columns that a kernel of one row or column
skips are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.tiling.tiles import Workgroup, packed_dilation, packed_size
from quantune_mlir.mlir.bindings import arith, ir

_UNROLLED_PIECES: Final = 8


@dataclass(frozen=True)
class Packing:
    """Copies what a workgroup reads of `source`."""

    shape: ConvolutionShape
    workgroup: Workgroup
    lanes: int
    """Elements that one copy moves."""
    pack: Callable[[ir.Value], ir.Value]
    element: str

    @property
    def rows(self) -> int:
        """Rows of the scratch."""
        return packed_size(self.shape, 0, self.workgroup.rows)

    @property
    def columns(self) -> int:
        """Columns of the scratch."""
        return packed_size(self.shape, 1, self.workgroup.columns)

    @property
    def dilation(self) -> tuple[int, int]:
        """Distance of taps in the scratch."""
        rows, columns = self.workgroup.rows, self.workgroup.columns
        return packed_dilation(self.shape, 0, rows), packed_dilation(self.shape, 1, columns)

    def emit(
        self,
        source: ir.Value,
        scratch: ir.Value,
        image: Index,
        group: Index,
        row: Index,
        column: Index,
        padding: ir.Value,
    ) -> None:
        """Pack a group's input of the pixels from (row, column) on; `padding` is a scalar of the packed type."""
        shape = self.shape
        (sh, sw), (top, left), (kh, kw) = shape.stride, shape.pad, shape.kernel
        row_step = sh if kh == 1 else 1
        apart = self.dilation[0]
        column_step = sw if kw == 1 else 1
        first_row = code.add(code.mul(row, sh), -top)
        first_column = code.add(code.mul(column, sw), -left)
        starts = [code.add(first_column, skipped) for skipped, _, _ in self._parts()]
        ends = [
            self._inside(start, column_step, width) for start, (_, _, width) in zip(starts, self._parts(), strict=True)
        ]
        filler = code.broadcast(padding, self.lanes)
        size = self.columns * shape.channels

        def pack_row(i: Index) -> list[ir.Value]:
            to = code.mul(i, size)
            input_row = code.add(first_row, code.mul(i, row_step))
            if kh > 1 and apart < shape.dilation[0]:
                tap = code.mul(code.divide(i, apart), shape.dilation[0])
                input_row = code.add(first_row, tap, code.remainder(i, apart))

            def copy() -> None:
                line = code.mul(code.add(code.mul(image, shape.height), input_row), shape.width)
                for (_, first, width), start, (begin, end) in zip(self._parts(), starts, ends, strict=True):
                    into = code.add(to, first * shape.channels)
                    at = code.add(code.mul(code.add(line, start), shape.pixel), code.mul(group, shape.channels))
                    before, inside = code.mul(begin, shape.channels), code.mul(code.sub(end, begin), shape.channels)
                    self._fill(scratch, into, before, filler)
                    if column_step == 1 and shape.groups == 1:
                        self._copy(source, code.add(at, before), scratch, code.add(into, before), inside)
                    else:
                        self._copy_pixels(source, at, scratch, into, column_step, (begin, end))
                    after = code.mul(code.sub(width, end), shape.channels)
                    self._fill(scratch, code.add(into, before, inside), after, filler)

            if self._rows_are_inside():
                copy()
            else:
                inside = arith.CmpIOp(arith.CmpIPredicate.ult, code.index(input_row), code.index(shape.height)).result
                code.when(inside, copy, lambda: self._fill(scratch, to, size, filler))
            return []

        code.loop(0, self.rows, 1, pack_row)

    def _rows_are_inside(self) -> bool:
        shape = self.shape
        last = (shape.out_height - 1) * shape.stride[0] - shape.pad[0] + (shape.kernel[0] - 1) * shape.dilation[0]
        return shape.pad[0] <= 0 and last < shape.height

    def _parts(self) -> list[tuple[int, int, int]]:
        """Neighbouring columns: where they begin in the input and in the scratch, and how many there are."""
        apart, (_, kw), (_, dw) = self.dilation[1], self.shape.kernel, self.shape.dilation
        if kw == 1 or apart == dw:
            return [(0, 0, self.columns)]
        return [(tap * dw, tap * apart, apart) for tap in range(kw)]

    def _inside(self, first_column: Index, step: int, width: int) -> tuple[Index, Index]:
        """The columns that lie in the image, of so many of the scratch, `step` apart."""
        shape = self.shape
        last = (shape.out_width - 1) * shape.stride[1] - shape.pad[1] + (shape.kernel[1] - 1) * shape.dilation[1]
        if shape.pad[1] <= 0 and last < shape.width:
            return 0, width
        before = code.maximum(code.sub(0, first_column), 0)
        until_end = code.maximum(code.sub(shape.width, first_column), 0)
        begin, end = (code.divide(code.add(distance, step - 1), step) for distance in (before, until_end))
        begin = code.minimum(begin, width)
        return begin, code.maximum(code.minimum(end, width), begin)

    def _copy_pixels(
        self, source: ir.Value, at: Index, scratch: ir.Value, to: Index, step: int, columns: tuple[Index, Index]
    ) -> None:
        channels = self.shape.channels

        def pixel(j: Index) -> list[ir.Value]:
            offset = code.mul(j, step * self.shape.pixel)
            self._copy(source, code.add(at, offset), scratch, code.add(to, code.mul(j, channels)), channels)
            return []

        code.loop(*columns, 1, pixel)

    def _copy(self, source: ir.Value, at: Index, scratch: ir.Value, to: Index, count: Index) -> None:
        def piece(i: Index, lanes: int) -> None:
            values = self.pack(code.load(source, code.add(at, i), lanes))
            code.store(values, scratch, code.add(to, i))

        self._pieces(count, piece)

    def _fill(self, scratch: ir.Value, to: Index, count: Index, filler: ir.Value) -> None:
        def piece(i: Index, lanes: int) -> None:
            code.store(code.part(filler, 0, lanes), scratch, code.add(to, i))

        self._pieces(count, piece)

    def _pieces(self, count: Index, piece: Callable[[Index, int], None]) -> None:
        """Vectors over `count` elements, whole pixels if the number is not known."""

        def step_of(lanes: int) -> Callable[[Index], list[ir.Value]]:
            def body(i: Index) -> list[ir.Value]:
                piece(i, lanes)
                return []

            return body

        if not isinstance(count, int):
            lanes = code.powers(self.shape.channels, self.lanes)[-1][1]
            code.loop(0, count, lanes, step_of(lanes))
            return
        whole = count // self.lanes * self.lanes
        if whole > _UNROLLED_PIECES * self.lanes:
            code.loop(0, whole, self.lanes, step_of(self.lanes))
        else:
            whole = 0
        for first, lanes in code.powers(count - whole, self.lanes):
            piece(whole + first, lanes)
