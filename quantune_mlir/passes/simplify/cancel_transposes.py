"""In: TOSA with a transpose wherever the layout changes. Out: transposes only at the boundary, if anywhere.

- op(transpose(x, p)) == transpose(op'(x), q): transposes are pushed towards the outputs;
- transpose(transpose(x, p), q) == transpose(x, p then q): where two meet, they merge or cancel;
- where one is stuck, the layout of the region around it is flipped if that saves transposes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value
from quantune_mlir.mlir.edit import blocks, defining_op, erase_dead, has_uses, replace, shape_of, users
from quantune_mlir.mlir.permutation import composed, is_identity, keeps_element_order
from quantune_mlir.passes.simplify.transpose_regions import flip_regions, live_transposes
from quantune_mlir.passes.simplify.transpose_rules import (
    RESHAPE,
    TRANSPOSE,
    passage,
    permutation_of,
    reshape,
    transpose,
)
from quantune_mlir.passes.simplify.weight_permutation import flatten_without_transpose
from quantune_mlir.pipeline.base import Pass


@dataclass(frozen=True)
class CancelTransposes(Pass):
    """Cancel transposes against each other, or move them to the boundary."""

    name: ClassVar[str] = "quantune-cancel-transposes"

    def apply(self, module: ir.Module) -> None:
        for block in reversed(list(blocks(module.operation))):  # inner ones first: they may be dead in an outer one
            for phase in _PHASES:
                phase(block)
        erase_dead(module.operation)


def _sink_all(block: ir.Block) -> None:
    """Push every transpose as far down as it goes."""
    while _sink_each(live_transposes(block)):
        pass


def _sink_each(pending: list[ir.Operation]) -> bool:
    """Push these transposes, and those this makes, down. Returns whether any moved."""
    pending = pending[::-1]
    moved = False
    while pending:
        op = pending.pop()
        if has_uses(op):
            created = _sink(op)
            moved = moved or created is not None
            pending += created or []
    return moved


def _sink(op: ir.Operation) -> list[ir.Operation] | None:
    """Push one transpose past its users. Returns the transposes this leaves to be pushed on; None if it stayed."""
    permutation = permutation_of(op)
    if is_identity(permutation):
        op.results[0].replace_all_uses_with(op.operands[0])
        return []
    array = constant_value(op.operands[0])
    if array is not None:
        folded = np.ascontiguousarray(array.transpose(permutation))
        op.results[0].replace_all_uses_with(constant(folded, loc=op.location, ip=ir.InsertionPoint(op)))
        return []
    created: list[ir.Operation] | None = None
    for user in users(op.results[0]):
        below = _push_past(op, user)
        if below is not None:
            created = (created or []) + below
    return created


def _push_past(op: ir.Operation, user: ir.Operation) -> list[ir.Operation] | None:
    permutation = permutation_of(op)
    if user.name == TRANSPOSE:
        if not has_uses(user):
            return None
        return _stand_for(user, op.operands[0], composed(permutation, permutation_of(user)), op)
    found = passage(user, permutation)
    if found is not None:
        result = found.build(user).results[0]
        below = _stand_for(user, result, found.permutation, op)
        user.erase()
        return below
    return [] if flatten_without_transpose(user, op) else None


def _stand_for(
    old: ir.Operation, value: ir.Value, permutation: tuple[int, ...], model: ir.Operation
) -> list[ir.Operation]:
    """Let transpose(value) stand for the result of `old`; the labels of `model`, a transpose, stay on it."""
    if is_identity(permutation):
        old.results[0].replace_all_uses_with(value)
        return []
    new = transpose(value, permutation, old)
    for name in model.attributes:
        if name != "perms":
            new.attributes[name] = model.attributes[name]
    old.results[0].replace_all_uses_with(new.results[0])
    return [new]


def _sink_into_reshapes(block: ir.Block) -> None:
    """Push the transposes that flipping has left before reshapes past them, and on."""
    for op in live_transposes(block):
        for user in users(op.results[0]):
            if user.name == RESHAPE:
                _sink_each(_push_past(op, user) or [])


def _turn_into_reshapes(block: ir.Block) -> None:
    """A transpose that only moves unit dimensions is a reshape."""
    for op in live_transposes(block):
        if keeps_element_order(permutation_of(op), shape_of(op.operands[0])):
            op.results[0].replace_all_uses_with(reshape(op.operands[0], shape_of(op.results[0]), op))


def _merge_reshapes(block: ir.Block) -> None:
    """Only the last of a chain of reshapes counts, and none that keeps the shape."""
    for view in list(block.operations):
        op = view.operation
        if op.name != RESHAPE:
            continue
        inner = defining_op(op.operands[0], RESHAPE)
        if inner is not None:
            op.operands[0] = inner.operands[0]
        if op.operands[0].type == op.results[0].type:
            replace(op, op.operands[0])


_PHASES: Final = (
    _sink_all,
    _merge_reshapes,
    flip_regions,
    _sink_into_reshapes,
    _turn_into_reshapes,
    _merge_reshapes,
)
