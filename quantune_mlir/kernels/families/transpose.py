"""Transposes: runs of neighbours are copied, what was strided is turned in registers.

    for each workgroup: a share of the outermost dimension                              grid
      for each place in the dimensions between
        where the last dimension stays the last: copy it
        few of the last dimension side by side: interleave them
        else, of each square of lanes x lanes: load rows, turn, store columns

Dimensions of one element are left out, and neighbours that stay together are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import described
from quantune_mlir.kernels.emit.executable import Library, Signature
from quantune_mlir.kernels.emit.lane_orders import interleaved, turned
from quantune_mlir.kernels.emit.runs import copy, pieces
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.elementwise import workgroups_for
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.permutation import permutation_of

_FEW: Final = 4
"""Vectors that are interleaved, so that what they give is stored as a whole."""


def lower(group: Group, isa: Isa, library: Library) -> ir.Value | None:
    """Dispatch the kernel of a transpose at the current point; None if nothing moves."""
    root = group.root
    assert root is not None
    moved = moved_dimensions(shape_of(root.operands[0]), permutation_of(root))
    return _Kernel(group, moved, isa.lanes).dispatch(library) if len(moved) > 1 else None


@dataclass(frozen=True)
class Dimension:
    """A dimension of the result: its size, and how far its neighbours are apart in the source and in the result."""

    size: int
    source: int
    result: int


def moved_dimensions(shape: Sequence[int], permutation: Sequence[int]) -> list[Dimension]:
    """Those of the result, the outermost first; one of all elements where nothing moves."""
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    joined: list[tuple[int, int]] = []
    for axis in permutation:
        size, stride = shape[axis], strides[axis]
        if size == 1:
            continue
        if joined and joined[-1][1] == stride * size:
            size *= joined.pop()[0]
        joined.append((size, stride))
    sizes = [size for size, _ in joined]
    return [Dimension(size, stride, prod(sizes[i + 1 :])) for i, (size, stride) in enumerate(joined)]


@dataclass(frozen=True)
class _Kernel:
    group: Group
    dimensions: list[Dimension]
    """At least two."""
    lanes: int

    @property
    def _workgroups(self) -> int:
        outermost = self.dimensions[0]
        return min(outermost.size, workgroups_for(prod(self.group.shape))) if outermost in self._outer else 1

    @property
    def _last(self) -> Dimension:
        return self.dimensions[-1]

    @property
    def _first(self) -> Dimension:
        """The dimension whose elements are neighbours in the source."""
        return next(d for d in self.dimensions if d.source == 1)

    @property
    def _outer(self) -> list[Dimension]:
        return [d for d in self.dimensions if d not in (self._last, self._first)]

    def dispatch(self, library: Library) -> ir.Value:
        root = self.group.root
        assert root is not None
        source, result = root.operands[0], root.results[0]
        signature = Signature((described(source),), described(result), 0, (self._workgroups,))
        kind = ir.RankedTensorType(self.group.op.results[0].type)
        return library.dispatch(self.group.family, signature, self._emit, [source], [], kind)

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        source, output = buffers
        inner = self._copy if self._first is self._last else self._turn

        def at(outer: Sequence[Dimension], here: Index, there: Index) -> None:
            if not outer:
                inner(source, output, here, there)
                return
            dimension, *rest = outer
            low, high = self._share(place[0], dimension)

            def step(i: Index) -> list[ir.Value]:
                at(rest, code.add(here, code.mul(i, dimension.source)), code.add(there, code.mul(i, dimension.result)))
                return []

            code.loop(low, high, 1, step)

        at(self._outer, 0, 0)

    def _share(self, workgroup: Index, dimension: Dimension) -> tuple[Index, Index]:
        """What a workgroup does of a dimension: all, but of the outermost."""
        if dimension is not self.dimensions[0] or self._workgroups == 1:
            return 0, dimension.size
        share = ceil(dimension.size / self._workgroups)
        first = code.mul(workgroup, share)
        return first, code.minimum(code.add(first, share), dimension.size)

    def _copy(self, source: ir.Value, output: ir.Value, here: Index, there: Index) -> None:
        """The last dimension, whose elements are neighbours before and after."""
        width = self.lanes * 4 // code.bytes_of(described(self.group.source)[1])
        copy(source, here, output, there, self._last.size, width)

    def _turn(self, source: ir.Value, output: ir.Value, here: Index, there: Index) -> None:
        """The first and the last dimension."""
        across, along = self._first, self._last
        beside = along.size <= _FEW and across.result == along.size

        def square(row: Index, rows: int, column: Index, columns: int) -> None:
            def load(i: int) -> ir.Value:
                at = code.add(here, code.mul(code.add(row, i), along.source), column)
                return code.load_lanes(source, at, columns, self.lanes)

            loaded = [load(i) for i in range(rows)]
            if beside:
                at = code.add(there, code.mul(column, across.result))
                code.store_lanes(interleaved(loaded, self.lanes), output, at, columns * rows)
                return
            for i, vector in enumerate(turned(loaded, self.lanes)[:columns]):
                at = code.add(there, code.mul(code.add(column, i), across.result), row)
                code.store_lanes(vector, output, at, rows)

        def strip(column: Index, columns: int) -> None:
            pieces(along.size, self.lanes, lambda row, rows: square(row, rows, column, columns))

        pieces(across.size, self.lanes, strip)
