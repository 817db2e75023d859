"""Groups that compute the same as one before them, in another place: the kernel is not written again.

Run 2 computes most layers several times, fed with one thing or another. What a kernel is follows from the ops of its
group, the constants that they read, and the types of what else they read.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import arith, flow, ir
from quantune_mlir.mlir.constants import CONSTANTS
from quantune_mlir.mlir.edit import defining_op
from quantune_mlir.mlir.tosa.evaluate import rearranged_constant

_TIED: Final = "tied_operands"
_MADE: Final = CONSTANTS | {arith.ConstantOp.OPERATION_NAME}
"""What lowering makes beside the dispatch."""


@dataclass(frozen=True)
class Reading:
    """A group as what its kernel follows from, and what else it reads, in order."""

    key: Hashable
    given: list[ir.Value]

    @classmethod
    def of(cls, group: ir.Operation) -> Reading | None:
        """Of a `quantune.fused` op; None if its kernel follows from ops beside it, too."""
        numbers: dict[ir.Value, int] = {}
        given: list[ir.Value] = []
        parts: list[Hashable] = [_attributes(group), *(result.type for result in group.results)]
        for view in group.regions[0].blocks[0].operations:
            op = view.operation
            read: list[Hashable] = []
            for operand in op.operands:
                if operand not in numbers:
                    source = defining_op(operand)
                    if source is not None and source.name in CONSTANTS:
                        read.append(source.attributes["values"])
                        continue
                    if rearranged_constant(operand) is not None:
                        return None
                    numbers[operand] = len(numbers)
                    given.append(operand)
                read += [numbers[operand], operand.type]
            parts.append((op.name, tuple(read), _attributes(op), tuple(result.type for result in op.results)))
            numbers.update((result, len(numbers) + i) for i, result in enumerate(op.results))
        return cls(tuple(parts), given)


def _attributes(op: ir.Operation) -> Hashable:
    return tuple((name, op.attributes[name]) for name in op.attributes if name not in (LAYER, OP))


@dataclass(frozen=True)
class _Dispatch:
    """A dispatch of which each operand is given, by its number, or made: a constant op."""

    op: ir.Operation
    operands: list[int | ir.Operation]

    def again(self, given: list[ir.Value]) -> ir.Value:
        """The result of the same on other values, at the current point."""
        operands = [given[x] if isinstance(x, int) else _same(x) for x in self.operands]
        types = [result.type for result in self.op.results]
        return flow.DispatchOp(types, [], self.op.attributes["entry_points"], operands, [], []).results[0]


def _same(op: ir.Operation) -> ir.Value:
    attributes = {name: op.attributes[name] for name in op.attributes}
    return ir.Operation.create(op.name, results=[op.results[0].type], attributes=attributes).results[0]


class RepeatedGroups:
    """The dispatches that were made of groups so far."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Dispatch] = {}

    def lowered(self, group: ir.Operation, lower: Callable[[], ir.Value | None]) -> ir.Value | None:
        """The value of a group at the current point: as an equal one was computed, or as `lower` lowers it."""
        reading = Reading.of(group)
        known = None if reading is None else self._known.get(reading.key)
        if known is not None and reading is not None:
            return known.again(reading.given)
        result = lower()
        if reading is not None and result is not None:
            self._add(reading, result)
        return result

    def _add(self, reading: Reading, result: ir.Value) -> None:
        """Keep what was made of a group, if it is a dispatch that writes a result of its own."""
        op = defining_op(result)
        if op is None or op.name != flow.DispatchOp.OPERATION_NAME or _TIED in op.attributes:
            return
        numbers = {value: number for number, value in enumerate(reading.given)}
        operands = [numbers.get(value, defining_op(value)) for value in op.operands]
        made = [operand for operand in operands if not isinstance(operand, int)]
        if all(operand is not None and operand.name in _MADE for operand in made):
            self._known[reading.key] = _Dispatch(op, [operand for operand in operands if operand is not None])
