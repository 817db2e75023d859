"""Pads of what no kernel takes in: runs of neighbours are copied, and what lies around them is filled. And slices.

    for each workgroup: a share of the outermost dimension, padding included            grid
      for each place in the dimensions between
        fill what is before it, copy it, fill what is behind it

Dimensions of one element are left out, and one without padding is one with that around it. A slice is a pad by less
than nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import described
from quantune_mlir.kernels.emit.executable import Library, Signature
from quantune_mlir.kernels.emit.runs import copy, fill
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.elementwise import workgroups_for
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import shape_of


def lower(group: Group, isa: Isa, library: Library) -> ir.Value:
    """Dispatch the kernel of a pad at the current point."""
    root = group.root
    assert root is not None
    source, amounts, filler = root.operands
    pads, value = constant_value(amounts), constant_value(filler)
    assert pads is not None
    assert value is not None
    dimensions = padded_dimensions(shape_of(source), [int(n) for n in pads.reshape(-1)])
    return _Kernel(group, source, dimensions, float(value.reshape(-1)[0]), isa.lanes).dispatch(library)


def lower_slice(group: Group, isa: Isa, library: Library) -> ir.Value:
    """Dispatch the kernel of a slice at the current point."""
    (op,) = group.epilogue
    starts = constant_value(op.operands[1])
    assert starts is not None
    source = op.operands[0]
    axes = zip(starts.reshape(-1), shape_of(source), group.shape, strict=True)
    cuts = [-amount for start, whole, part in axes for amount in (int(start), whole - int(start) - part)]
    return _Kernel(group, source, padded_dimensions(shape_of(source), cuts), 0.0, isa.lanes).dispatch(library)


@dataclass(frozen=True)
class Dimension:
    """A dimension of what is padded, and how many elements of it the padding has before and behind.

    Where that is less than none, so many of the dimension's own are left out.
    """

    before: int
    size: int
    behind: int

    @property
    def padded(self) -> int:
        """Its size in the result."""
        return self.before + self.size + self.behind

    @property
    def taken(self) -> range:
        """The elements that the result has."""
        return range(max(0, -self.before), self.size - max(0, -self.behind))


def padded_dimensions(shape: Sequence[int], pads: Sequence[int]) -> list[Dimension]:
    """Those of a tensor, the outermost first, at least one; `pads` are before and behind of each axis."""
    found = [Dimension(0, 1, 0)]
    for size, before, behind in zip(shape, pads[::2], pads[1::2], strict=True):
        if before or behind:
            found.append(Dimension(before, size, behind))
        else:
            last = found.pop()
            found.append(Dimension(last.before * size, last.size * size, last.behind * size))
    return found[1:] if found[0] == Dimension(0, 1, 0) and len(found) > 1 else found


@dataclass(frozen=True)
class _Kernel:
    group: Group
    source: ir.Value
    dimensions: list[Dimension]
    filler: float
    lanes: int

    @property
    def _workgroups(self) -> int:
        return min(self.dimensions[0].padded, workgroups_for(prod(self.group.shape)))

    @property
    def _width(self) -> int:
        return self.lanes * 4 // code.bytes_of(described(self.source)[1])

    def dispatch(self, library: Library) -> ir.Value:
        result = self.group.op.results[0]
        signature = Signature((described(self.source),), described(result), 0, (self._workgroups,))
        kind = ir.RankedTensorType(result.type)
        return library.dispatch(self.group.family, signature, self._emit, [self.source], [], kind)

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        source, output = buffers
        if self._workgroups == 1:
            self._emit_all(source, output, self.dimensions, 0, 0)
            return
        outermost, *rest = self.dimensions
        share = ceil(outermost.padded / self._workgroups)
        first = code.mul(place[0], share)

        def one(i: Index) -> list[ir.Value]:
            inside = code.sub(i, outermost.before)
            there = code.mul(i, _padded(rest))

            def within() -> None:
                self._emit_all(source, output, rest, code.mul(inside, _size(rest)), there)

            if outermost.before <= 0 and outermost.behind <= 0:
                within()
            else:
                code.when(
                    code.is_within(inside, outermost.size),
                    within,
                    lambda: fill(output, there, _padded(rest), self.filler, self._width),
                )
            return []

        code.loop(first, code.minimum(code.add(first, share), outermost.padded), 1, one)

    def _emit_all(
        self, source: ir.Value, output: ir.Value, dimensions: Sequence[Dimension], here: Index, there: Index
    ) -> None:
        """What lies in some inner dimensions, from `here` on in the source and from `there` on in the result."""
        if not dimensions:
            copy(source, here, output, there, 1, self._width)
            return
        dimension, *rest = dimensions
        block, taken = _padded(rest), dimension.taken
        fill(output, there, max(0, dimension.before) * block, self.filler, self._width)
        begin = code.add(there, max(0, dimension.before) * block)
        first = code.add(here, taken.start * _size(rest))
        if rest:

            def one(i: Index) -> list[ir.Value]:
                inside, to = code.add(first, code.mul(i, _size(rest))), code.add(begin, code.mul(i, block))
                self._emit_all(source, output, rest, inside, to)
                return []

            code.loop(0, len(taken), 1, one)
        else:
            copy(source, first, output, begin, len(taken), self._width)
        behind = code.add(begin, len(taken) * block)
        fill(output, behind, max(0, dimension.behind) * block, self.filler, self._width)


def _padded(dimensions: Sequence[Dimension]) -> int:
    return prod(dimension.padded for dimension in dimensions)


def _size(dimensions: Sequence[Dimension]) -> int:
    return prod(dimension.size for dimension in dimensions)
