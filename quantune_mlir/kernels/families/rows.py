"""What is computed of rows as a whole: softmax, normalisations, and the element-wise ops around their reductions.

    for each workgroup: a share of the rows                                             grid
      for each row
        for each reduction of the group, in order
          for each few vectors of the row: compute its operand; combine                 epilogue.py
          combine the lanes: one number, in every lane
        for each few vectors of the row: compute the result; store                      or one number

What a reduction adds up is computed again where it is needed later, from what is in a cache then; an exponential, say,
is kept in scratch. A row of a few vectors needs no loop, and stays in registers. Lanes beyond the end of a row are left
out of reductions and stores. A group without reductions reads numbers of rows that another kernel has computed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from math import ceil, prod
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue, Place, widened
from quantune_mlir.kernels.emit.executable import Library, Signature
from quantune_mlir.kernels.emit.row_reductions import ROW_REDUCTIONS
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.elementwise import workgroups_for
from quantune_mlir.kernels.fusion.fusion_rules import is_number_of_rows
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.tosa.traits import traits_of

_VECTORS: Final = 4
"""Accumulators of a reduction."""
_MOST_KEPT: Final = 8192
"""Elements of a row that are kept in scratch."""


_Visit = Callable[[Index, int, ir.Value], ir.Value]
"""(first element, elements, accumulator): the accumulator after a vector of the row."""


def lower(group: Group, isa: Isa, library: Library) -> ir.Value | None:
    """Dispatch the kernel of a group of rows at the current point; None if there is none for it."""
    epilogue = Epilogue(group, isa.tables)
    buffers = Buffers(epilogue)
    return _Kernel(group, epilogue, isa.lanes).dispatch(buffers, library) if buffers.fit else None


@dataclass(frozen=True)
class _Kernel:
    group: Group
    epilogue: Epilogue
    lanes: int

    @property
    def _length(self) -> int:
        return self.group.shape[-1]

    @property
    def _rows(self) -> int:
        return prod(self.group.shape[:-1])

    @cached_property
    def numbers(self) -> list[ir.Value]:
        """What it reads that is one number for each row."""
        return [tensor for tensor in self.epilogue.tensors if is_number_of_rows(tensor, self.group.shape)]

    @property
    def _workgroups(self) -> int:
        return min(self._rows, workgroups_for(prod(self.group.shape)))

    @cached_property
    def _reductions(self) -> list[ir.Operation]:
        return [op for op in self.group.epilogue if op.name in ROW_REDUCTIONS]

    @cached_property
    def _kept(self) -> list[ir.Value]:
        """What reductions read, takes long to compute, and is read again."""
        if self._length > _MOST_KEPT:
            return []
        read = dict.fromkeys(op.operands[0] for op in self._reductions)
        return [value for value in read if self._is_expensive(value) and len(list(value.uses)) > 1]

    def _is_expensive(self, value: ir.Value) -> bool:
        steps = self.steps(value, {op.results[0] for op in self._reductions})
        return any(traits_of(op).cost == "costly" or op.name == "tosa.table" for op in steps)

    def steps(self, value: ir.Value, known: Collection[ir.Value]) -> list[ir.Operation]:
        """The ops that compute `value` from what is known, in order."""
        needed, steps = {value}, list[ir.Operation]()
        for op in reversed(self.group.epilogue):
            if op.results[0] in needed and op.results[0] not in known:
                steps.insert(0, op)
                needed.update(op.operands)
        return steps

    def dispatch(self, buffers: Buffers, library: Library) -> ir.Value:
        signature = Signature(buffers.inputs, buffers.output(None), len(self.epilogue.scalars), (self._workgroups,))
        result = ir.RankedTensorType(self.group.op.results[0].type)
        return library.dispatch(
            self.group.family, signature, self._emit, buffers.tensors(), self.epilogue.scalars, result
        )

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        *inputs, output = buffers
        count = len(self.epilogue.channels)
        bound = self.epilogue.bind(inputs[:count], scalars, inputs[count:], output)
        room = ceil(self._length / self.lanes) * self.lanes
        scratch = {value: code.scratch(room, code.F32) for value in self._kept}
        share = ceil(self._rows / self._workgroups)
        first = code.mul(place[0], share) if self._workgroups > 1 else 0

        def row(i: Index) -> list[ir.Value]:
            emitted = _Row(self, i, code.mul(i, self._length), bound, scratch)
            for op in self._reductions:
                emitted.reduce(op)
            emitted.finish()
            return []

        code.loop(first, code.minimum(code.add(first, share), self._rows), 1, row)

    def over_row(self, visit: _Visit, totals: Sequence[ir.Value]) -> list[ir.Value]:
        """`visit` at each vector of the row; the accumulators take turns."""
        step = _VECTORS * self.lanes

        def several(first: Index, *carried: ir.Value) -> list[ir.Value]:
            return [visit(code.add(first, i * self.lanes), self.lanes, total) for i, total in enumerate(carried)]

        whole = self._length // step * step
        found = code.loop(0, whole, step, several, totals)
        for i, first in enumerate(range(whole, self._length, self.lanes)):
            found[i] = visit(first, min(self.lanes, self._length - first), found[i])
        return found

    @property
    def accumulators(self) -> int:
        """How many a reduction has."""
        return min(_VECTORS, ceil(self._length / self.lanes))


@dataclass
class _Row:
    """A row as it is computed, from its reductions to its result."""

    kernel: _Kernel
    position: Index
    start: Index
    bound: Bound
    scratch: dict[ir.Value, ir.Value]
    """The buffers of what is kept."""
    numbers: dict[ir.Value, ir.Value] = field(default_factory=dict)
    """What is known of the row as a whole, in every lane."""
    kept: dict[ir.Value, ir.Value] = field(default_factory=dict)
    """Those buffers that are filled."""

    def __post_init__(self) -> None:
        lanes = self.kernel.lanes
        for tensor in self.kernel.numbers:
            number = code.load_scalar(self.bound.tensors[tensor], self.position)
            self.numbers[tensor] = widened(code.broadcast(number, lanes), lanes).value

    def reduce(self, op: ir.Operation) -> None:
        """Compute one number of the row."""
        lanes, reduction = self.kernel.lanes, ROW_REDUCTIONS[op.name]
        operand = op.operands[0]
        buffer = self.scratch.get(operand) if operand not in self.kept else None

        def visit(first: Index, count: int, total: ir.Value) -> ir.Value:
            value = self._compute(operand, first, count)
            if buffer is not None:
                code.store(value, buffer, first)
            if count < lanes:
                value = code.first_lanes(value, count, code.splat(reduction.nothing, lanes, code.F32))
            return reduction.combine(value, total)

        nothing = code.splat(reduction.nothing, lanes, code.F32)
        first, *others = self.kernel.over_row(visit, [nothing] * self.kernel.accumulators)
        total = reduce(reduction.combine, others, first)
        while lanes > 1:
            lanes //= 2
            total = reduction.combine(code.part(total, 0, lanes), code.part(total, lanes, lanes))
        self.numbers[op.results[0]] = code.broadcast_lane(total, self.kernel.lanes)
        if buffer is not None:
            self.kept[operand] = buffer

    def finish(self) -> None:
        """Compute the result and store it."""
        group, element = self.kernel.group, self.kernel.epilogue.element

        def visit(first: Index, count: int, total: ir.Value) -> ir.Value:
            value = self._compute(group.result, first, count)
            self._place(first, count).store(code.narrowed(value, element), self.bound.output)
            return total

        if is_number_of_rows(group.result, group.shape):
            number = code.narrowed(self._compute(group.result, 0, 1), element)
            return code.store_lanes(number, self.bound.output, self.position, 1)
        unused = code.splat(0, 1, code.I32)
        self.kernel.over_row(visit, [unused] * self.kernel.accumulators)
        return None

    def _compute(self, value: ir.Value, first: Index, count: int) -> ir.Value:
        lanes = self.kernel.lanes
        known = self.numbers | {each: code.load(buffer, first, lanes) for each, buffer in self.kept.items()}
        self.bound.loaded.clear()
        steps = self.kernel.steps(value, known)
        return self.kernel.epilogue.compute_steps(steps, value, known, self._place(first, count), lanes, self.bound)

    def _place(self, first: Index, count: int) -> Place:
        return Place(code.add(self.start, first), first, count, row=self.start)
