"""The adjoint of a loop: its rounds backwards, each computed once more from the state before it.

    forwards    tape[t] = state before round t
    backwards   for t from the last to the first:
                    the round again, from the row of this round and tape[t]
                    cotangents of what it yields: those of the next round's state, and of the row of the result
                    swept back: cotangents of the row of this round, and of the state before it

Both are loops of the same kind, so that a kernel computes each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from quantune_mlir.adjoint import float_ops as ops
from quantune_mlir.adjoint.movement import NoAdjointError
from quantune_mlir.graph.units import Unit, find_units
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONSTANTS, constant
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.counted_loop import CountedLoop

Sweep = Callable[[Sequence[Unit], Mapping[ir.Value, ir.Value]], Mapping[ir.Value, ir.Value]]
"""(units, cotangents of what they make): those of all that these are made of."""


def through_loop(unit: Unit, cotangent: ir.Value, sweep: Sweep) -> list[tuple[ir.Value, ir.Value]]:
    """The cotangents of what a loop reads, from that of its result. Raises NoAdjointError if it is no recurrence."""
    loop = CountedLoop.of(unit.op)
    recurrence = None if loop is None else _Recurrence.of(loop)
    if recurrence is None:
        raise NoAdjointError(unit.op.name)
    return recurrence.swept_back(cotangent, sweep)


@dataclass(frozen=True)
class _Recurrence:
    """A counted loop that makes a row of its result of a row of what it reads, and of a state.

    Attributes:
        loop: the loop.
        rows: the position of what it reads.
        gather: what takes the row of this round.
        scatter: what puts a row into the result.
        states: the positions of the state.
    """

    loop: CountedLoop
    rows: int
    gather: ir.Operation
    scatter: ir.Operation
    states: tuple[int, ...]

    @classmethod
    def of(cls, loop: CountedLoop) -> _Recurrence | None:
        arguments, yielded = list(loop.body.arguments), loop.yielded
        rows = [i for i, argument in enumerate(arguments) if yielded[i] == argument]
        gathers = [view.operation for view in loop.body if view.operation.name == "tosa.gather"]
        scatters = [view.operation for view in loop.body if view.operation.name == "tosa.scatter"]
        if not len(rows) == len(gathers) == len(scatters) == 1:
            return None
        states = tuple(i for i in range(len(arguments)) if i not in (0, loop.position, rows[0]))
        return cls(loop, rows[0], gathers[0], scatters[0], states)

    def swept_back(self, cotangent: ir.Value, sweep: Sweep) -> list[tuple[ir.Value, ir.Value]]:
        loop, states = self.loop, [self.loop.op.operands[i] for i in self.states]
        tape, rows = self._tape(), loop.op.operands[self.rows]
        last = loop.first + (loop.rounds - 1) * loop.step
        nothing = [ops.number(np.zeros(shape_of(value))) for value in (rows, *states)]
        carried = [nothing[0], _index(last), *nothing[1:], rows, tape, cotangent]

        def body(arguments: Sequence[ir.Value]) -> list[ir.Value]:
            made, number, *after, rows, tape, cotangent = arguments
            row = self._row(rows, number, shape_of(self.gather.results[0]))
            before = self._states_of(self._row(tape, number, self._taped))
            wanted = self._row(cotangent, number, shape_of(self.scatter.operands[2]))
            found = self._round_back(row, before, after, wanted, sweep)
            new = build.scatter(_as_rows(made), ops.reshape(number, (1, 1)), found[0])
            return [ops.reshape(new, shape_of(made)), _next(number, -loop.step), *found[1:], rows, tape, cotangent]

        results = self._loop(carried, -loop.step, body)
        return list(zip((rows, *states), (results[0], *results[2 : 2 + len(states)]), strict=True))

    @property
    def _taped(self) -> tuple[int, ...]:
        """The shape of a row of the tape."""
        return 1, 1, sum(prod(shape_of(self.loop.op.operands[i])) for i in self.states)

    def _tape(self) -> ir.Value:
        """The states before each round, side by side, [T, elements]."""
        loop = self.loop
        tape = ops.number(np.zeros((shape_of(loop.op.results[0])[0], self._taped[-1])))
        kept = [*self.states, self.rows]
        carried = [tape, _index(loop.first), *(loop.op.operands[i] for i in kept)]

        def body(arguments: Sequence[ir.Value]) -> list[ir.Value]:
            tape, number, *before, rows = arguments
            row = self._row(rows, number, shape_of(self.gather.results[0]))
            known = self._again(row, before)
            flat = [ops.reshape(value, (1, prod(shape_of(value)))) for value in before]
            state = flat[0] if len(flat) == 1 else build.concat(flat, 1)
            new = build.scatter(_as_rows(tape), ops.reshape(number, (1, 1)), ops.reshape(state, self._taped))
            after = [known[loop.end.operands[i]] for i in self.states]
            return [ops.reshape(new, shape_of(tape)), _next(number, loop.step), *after, rows]

        return self._loop(carried, loop.step, body)[0]

    def _loop(
        self, carried: Sequence[ir.Value], step: int, body: Callable[[Sequence[ir.Value]], Sequence[ir.Value]]
    ) -> list[ir.Value]:
        """A loop of as many rounds, whose number is the second of what is carried."""
        loop = self.loop
        op = build.while_loop(carried)
        condition, inner = (region.blocks[0] for region in op.regions)
        end = loop.first + loop.rounds * loop.step if step == loop.step else loop.first - loop.step
        with ir.InsertionPoint(condition):
            number = condition.arguments[1]
            limit = _index(end)
            ends = (limit, number) if step > 0 else (number, limit)
            build.finish_block([build.reshape(build.elementwise("greater", *ends), ())])
        with ir.InsertionPoint(inner):
            build.finish_block(body(list(inner.arguments)))
        return list(op.results)

    def _row(self, values: ir.Value, number: ir.Value, shape: Sequence[int]) -> ir.Value:
        return ops.reshape(build.gather(_as_rows(values), ops.reshape(number, (1, 1))), shape)

    def _states_of(self, row: ir.Value) -> list[ir.Value]:
        """The states that a row of the tape holds."""
        found: list[ir.Value] = []
        first = 0
        for shape in (shape_of(self.loop.op.operands[i]) for i in self.states):
            part = ops.cut(ops.reshape(row, (1, self._taped[-1])), [0, first], [1, prod(shape)])
            found.append(ops.reshape(part, shape))
            first += prod(shape)
        return found

    def _again(self, row: ir.Value, states: Sequence[ir.Value]) -> dict[ir.Value, ir.Value]:
        """A round on another row and other states: what becomes of each value of the body."""
        arguments = self.loop.body.arguments
        known = {self.gather.results[0]: row, **dict(zip((arguments[i] for i in self.states), states, strict=True))}
        for op in (view.operation for view in self.loop.body):
            if op.name in CONSTANTS:
                known[op.results[0]] = op.clone().results[0]
            elif len(op.results) == 1 and op.results[0] not in known and all(value in known for value in op.operands):
                twin = op.clone()
                for position, operand in enumerate(op.operands):
                    twin.operands[position] = known[operand]
                known[op.results[0]] = twin.results[0]
        return known

    def _round_back(
        self,
        row: ir.Value,
        before: Sequence[ir.Value],
        after: Sequence[ir.Value],
        wanted: ir.Value,
        sweep: Sweep,
    ) -> list[ir.Value]:
        """The cotangents of the row and the states, given those of what the round yields and of the row it keeps."""
        known = self._again(row, before)
        seeds = {known[self.scatter.operands[2]]: wanted}
        for i, seed in zip(self.states, after, strict=True):
            value = known[self.loop.end.operands[i]]
            seeds[value] = ops.add(seeds[value], seed) if value in seeds else seed
        made = {known[result] for view in self.loop.body for result in view.operation.results if result in known}
        made -= {row, *before}
        units = [unit for unit in find_units(ir.InsertionPoint.current.block) if unit.output in made]
        found = sweep(units, seeds)
        return [found[v] if v in found else ops.number(np.zeros(shape_of(v))) for v in (row, *before)]


def _as_rows(value: ir.Value) -> ir.Value:
    """[T, C] as gathers and scatters have it."""
    rows, *others = shape_of(value)
    return ops.reshape(value, (1, rows, prod(others)))


def _index(value: int) -> ir.Value:
    return constant(np.array([value], np.int32))


def _next(number: ir.Value, step: int) -> ir.Value:
    return build.elementwise("add", number, _index(step))
