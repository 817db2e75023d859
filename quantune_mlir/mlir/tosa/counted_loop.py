"""A tosa.while_loop that counts: how often it goes round, and the number that it has each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import defining_op

LOOP: Final = "tosa.while_loop"


@dataclass(frozen=True)
class CountedLoop:
    """A loop whose carried value `position` is a number, `first` at first, that each round adds `step` to."""

    op: ir.Operation
    position: int
    first: int
    step: int
    rounds: int

    @classmethod
    def of(cls, op: ir.Operation) -> CountedLoop | None:
        """None if it goes on for another reason than its number, or each round adds something else."""
        (condition,), (body,) = (region.blocks for region in op.regions)
        *_, last = condition.operations
        comparison = through_reshapes(last.operation.operands[0]).owner
        if isinstance(comparison, ir.Block) or comparison.operation.name != "tosa.greater":
            return None
        above, below = (through_reshapes(value) for value in comparison.operation.operands)
        number, limit = (below, above) if isinstance(below, ir.BlockArgument) else (above, below)
        if not isinstance(number, ir.BlockArgument):
            return None
        position = number.arg_number
        *_, end = body.operations
        first, bound = _integer(op.operands[position]), _integer(limit)
        step = _increment(end.operation.operands[position], body.arguments[position])
        if first is None or bound is None or step is None or (step > 0) is not (number == below):
            return None
        rounds = max(0, -((bound - first) // -step))
        return cls(op, position, first, step, rounds)

    @property
    def body(self) -> ir.Block:
        """The block of one round."""
        (block,) = self.op.regions[1].blocks
        return block

    @property
    def end(self) -> ir.Operation:
        """What yields at the end of a round."""
        *_, last = self.body.operations
        return last.operation

    @property
    def yielded(self) -> list[ir.Value]:
        """By position what a round hands on."""
        return [through_reshapes(value) for value in self.end.operands]

    def is_number(self, value: ir.Value) -> bool:
        """Whether a value of the body is the number."""
        return through_reshapes(value) == self.body.arguments[self.position]


def through_reshapes(value: ir.Value) -> ir.Value:
    """What a value holds the elements of, in the same order."""
    while (op := defining_op(value, "tosa.reshape")) is not None:
        value = op.operands[0]
    return value


def _integer(value: ir.Value) -> int | None:
    array = constant_value(value)
    return int(array.reshape(-1)[0]) if array is not None and array.size == 1 and array.dtype.kind == "i" else None


def _increment(following: ir.Value, number: ir.Value) -> int | None:
    """What is added to a number to get the following one, if that is a constant and not 0."""
    addition = defining_op(through_reshapes(following), "tosa.add")
    if addition is None or through_reshapes(addition.operands[0]) != number:
        return None
    return _integer(addition.operands[1]) or None
