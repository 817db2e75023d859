"""Where the largest number of each row, the last axis, is: the first of equal ones, or the first NaN.

    for each workgroup: a share of the rows                                             grid
      for each row of it
        for each vector of it: what is larger than before, and where
        the largest lane; the first that equals it

The last vector of a row is moved back to where it fits: what it reads again is no larger than before.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import described
from quantune_mlir.kernels.emit.epilogue import widened
from quantune_mlir.kernels.emit.executable import Library, Signature
from quantune_mlir.kernels.emit.vector_builder import F32, I32, Index
from quantune_mlir.kernels.families.elementwise import workgroups_for
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.edit import shape_of


def lower(group: Group, isa: Isa, library: Library) -> ir.Value:
    """Dispatch the kernel of an argmax at the current point."""
    *rows, length = shape_of(group.source)
    return _Kernel(group, prod(rows), length, min(isa.lanes, 1 << (length.bit_length() - 1))).dispatch(library)


@dataclass(frozen=True)
class _Kernel:
    group: Group
    rows: int
    length: int
    lanes: int

    @property
    def _workgroups(self) -> int:
        return min(self.rows, workgroups_for(self.rows * self.length))

    def dispatch(self, library: Library) -> ir.Value:
        source, result = self.group.source, self.group.op.results[0]
        signature = Signature((described(source),), described(result), 0, (self._workgroups,))
        kind = ir.RankedTensorType(result.type)
        return library.dispatch(self.group.family, signature, self._emit, [source], [], kind)

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        source, output = buffers
        share = ceil(self.rows / self._workgroups)
        first = code.mul(place[0], share) if self._workgroups > 1 else 0

        def row(i: Index) -> list[ir.Value]:
            code.store(self._emit_row(source, code.mul(i, self.length)), output, i)
            return []

        code.loop(first, code.minimum(code.add(first, share), self.rows), 1, row)

    def _emit_row(self, source: ir.Value, start: Index) -> ir.Value:
        """The place of its largest number, a vector of one lane."""
        lanes = self.lanes
        counted = code.vector_type(lanes, I32)
        count = arith.ConstantOp(
            counted, ir.DenseElementsAttr.get(np.arange(lanes, dtype=np.int32), type=counted)
        ).result

        def read(at: Index) -> ir.Value:
            return widened(code.load(source, code.add(start, at), lanes), lanes).value

        def vector(i: Index, best: ir.Value, where: ir.Value) -> list[ir.Value]:
            at = code.fitted(i, lanes, self.length)
            value = read(at)
            here = code.broadcast(arith.IndexCastOp(code.element(I32), code.index(at)).result, lanes)
            is_larger = _greater(value, best)
            found = arith.AddIOp(here, count).result
            return [arith.SelectOp(is_larger, value, best).result, arith.SelectOp(is_larger, found, where).result]

        best, where = code.loop(lanes, self.length, lanes, vector, [read(0), count])
        most = best
        for half in _halves(lanes):
            low, high = code.part(most, 0, half), code.part(most, half, half)
            most = arith.SelectOp(_greater(low, high), low, high).result
        is_most = _equals_largest(best, code.broadcast_lane(most, lanes))
        first = arith.SelectOp(is_most, where, code.splat(self.length - 1, lanes, I32)).result
        for half in _halves(lanes):
            first = arith.MinSIOp(code.part(first, 0, half), code.part(first, half, half)).result
        return first


def _halves(lanes: int) -> list[int]:
    return [lanes >> i for i in range(1, lanes.bit_length())]


def _greater(a: ir.Value, b: ir.Value) -> ir.Value:
    """a > b, lane by lane; NaN is greater than all numbers."""
    if not _is_real(a):
        return arith.CmpIOp(arith.CmpIPredicate.sgt, a, b).result
    is_number = arith.CmpFOp(arith.CmpFPredicate.ORD, b, b).result
    return arith.AndIOp(arith.CmpFOp(arith.CmpFPredicate.UGT, a, b).result, is_number).result


def _equals_largest(a: ir.Value, largest: ir.Value) -> ir.Value:
    if not _is_real(a):
        return arith.CmpIOp(arith.CmpIPredicate.eq, a, largest).result
    is_nan = arith.CmpFOp(arith.CmpFPredicate.UNO, a, a).result
    return arith.OrIOp(arith.CmpFOp(arith.CmpFPredicate.OEQ, a, largest).result, is_nan).result


def _is_real(value: ir.Value) -> bool:
    return ir.VectorType(value.type).element_type == code.element(F32)
