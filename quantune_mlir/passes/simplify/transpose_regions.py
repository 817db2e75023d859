"""Changes the layout of a whole region of ops at once where that saves transposes.

A transpose pushed downwards stops at an op whose other operand has no transpose to give. A region is what hangs
together of ops that work in any layout; to flip it by p is to transpose by p all that it takes and by p's inverse all
that it gives. Transposes by p of what it gives, and by p's inverse of what it takes, cancel; others are new.
"""

from __future__ import annotations

from dataclasses import dataclass

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import defining_op, erase_dead, has_uses, is_static_tensor, shape_of, users
from quantune_mlir.mlir.permutation import Permutation, inverse, keeps_element_order, permutation_of
from quantune_mlir.mlir.tosa.traits import data_operands
from quantune_mlir.passes.simplify.transpose_rules import TRANSPOSE, keeps_rank, passage, transpose


@dataclass(frozen=True)
class Region:
    """Ops, in program order, that can work in another layout, and the permutation that leads there."""

    ops: list[ir.Operation]
    permutation: Permutation

    def inputs(self) -> list[ir.Value]:
        """The values of several elements in some order that the region takes, constants apart."""
        results = {op.results[0] for op in self.ops}
        taken = dict.fromkeys(value for op in self.ops for value in data_operands(op))
        return [
            value
            for value in taken
            if value not in results
            and constant_value(value) is None
            and not keeps_element_order(self.permutation, shape_of(value))
        ]

    def new_inputs(self) -> list[ir.Value]:
        """The inputs that flipping needs a new transpose of."""
        return [
            value
            for value in self.inputs()
            if not _is_transposed(value, inverse(self.permutation)) and not _transposes(value, self.permutation)
        ]

    def saving(self) -> int:
        """How many transposes fewer there are after flipping; those that only move unit dimensions are free."""
        cancelled = [
            value
            for value in self.inputs()
            if _is_transposed(value, inverse(self.permutation)) and all(user in self.ops for user in users(value))
        ]
        saved, created = len(cancelled), len(self.new_inputs())
        for result in (op.results[0] for op in self.ops):
            if not keeps_element_order(self.permutation, shape_of(result)):
                outside = [user for user in users(result) if user not in self.ops]
                wanted = _transposes(result, self.permutation)
                saved += bool(wanted)
                created += len(outside) > len(wanted)
        return saved - created

    def is_worth_flipping(self) -> bool:
        """Whether that saves transposes, or at least moves them to the boundary.

        Not where the region takes the transpose of what it gives: it would have both layouts.
        """
        results = {op.results[0] for op in self.ops}
        transposes = (defining_op(value, TRANSPOSE) for value in self.inputs())
        if any(op is not None and op.operands[0] in results for op in transposes):
            return False
        saving, created = self.saving(), self.new_inputs()
        to_boundary = bool(created) and all(isinstance(value, ir.BlockArgument) for value in created)
        return saving > 0 or (saving == 0 and to_boundary)

    def flip(self) -> None:
        """Build the ops again in the other layout."""
        back = inverse(self.permutation)
        for value in self.inputs():
            if not _is_transposed(value, back):
                self._transpose_there_and_back(value)
        for op in self.ops:
            found = passage(op, back)
            assert found is not None, f"{op.name} does not let a transpose through"
            flipped = found.build(op).results[0]
            for user in _transposes(op.results[0], self.permutation):
                user.results[0].replace_all_uses_with(flipped)
            op.results[0].replace_all_uses_with(transpose(flipped, back, op).results[0])
            op.erase()

    def _transpose_there_and_back(self, value: ir.Value) -> None:
        users_inside = [op for op in self.ops if value in data_operands(op)]
        there = transpose(value, self.permutation, users_inside[0])
        back = transpose(there.results[0], inverse(self.permutation), users_inside[0])
        for op in users_inside:
            for place, operand in enumerate(data_operands(op)):
                if operand == value:
                    op.operands[place] = back.results[0]


def flip_regions(block: ir.Block) -> None:
    """Flip regions of `block` until none is worth it."""
    flipped = True
    while flipped:
        merge_equal_transposes(block)
        erase_dead(block.owner.operation)  # dead transposes would count as users
        flipped = any(_flip_beside(op) for op in live_transposes(block))


def live_transposes(block: ir.Block) -> list[ir.Operation]:
    """The transposes of `block` that are used, and whose shape is known."""
    found = [view.operation for view in block.operations if view.operation.name == TRANSPOSE]
    return [op for op in found if has_uses(op) and is_static_tensor(op.operands[0])]


def merge_equal_transposes(block: ir.Block) -> None:
    """Let the first transpose of a value stand for all equal ones."""
    first: dict[tuple[ir.Value, Permutation], ir.Operation] = {}
    for op in live_transposes(block):
        kept = first.setdefault((op.operands[0], permutation_of(op)), op)
        if kept != op:
            op.results[0].replace_all_uses_with(kept.results[0])


def _flip_beside(op: ir.Operation) -> bool:
    """Flip the region before or after the transpose `op`, if that is worth it."""
    permutation = permutation_of(op)
    above = defining_op(op.operands[0])
    starts = [(above, permutation)] if above is not None else []
    starts += [(user, inverse(permutation)) for user in users(op.results[0])]
    for start, wanted in starts:
        if keeps_rank(start, inverse(wanted)):
            region = _region_around(start, wanted)
            if region.is_worth_flipping():
                region.flip()
                return True
    return False


def _region_around(start: ir.Operation, permutation: Permutation) -> Region:
    back = inverse(permutation)
    found = {start}
    pending = [start]
    while pending:
        op = pending.pop()
        producers = [producer for value in data_operands(op) if (producer := defining_op(value)) is not None]
        consumers = [user for user in users(op.results[0]) if op.results[0] in data_operands(user)]
        for near in (*producers, *consumers):
            if near not in found and near.block == op.block and keeps_rank(near, back):
                found.add(near)
                pending.append(near)
    block = start.block
    return Region([view.operation for view in block.operations if view.operation in found], permutation)


def _is_transposed(value: ir.Value, permutation: Permutation) -> bool:
    producer = defining_op(value, TRANSPOSE)
    return producer is not None and permutation_of(producer) == permutation


def _transposes(value: ir.Value, permutation: Permutation) -> list[ir.Operation]:
    """The transposes of `value` by `permutation`."""
    return [user for user in users(value) if user.name == TRANSPOSE and permutation_of(user) == permutation]
