"""Where a transposed tensor is flattened and multiplied by constant weights, the weights can be permuted instead.

    reshape(transpose(x)) . W  ==  reshape(x) . W[order]

`order` maps each element of the flattened x to its place in the flattened transpose.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value
from quantune_mlir.mlir.edit import rebuild, replace, shape_of
from quantune_mlir.mlir.permutation import inverse, permutation_of, permuted, reshape_segments
from quantune_mlir.mlir.tosa.traits import axis_of, data_operands, traits_of
from quantune_mlir.passes.simplify.transpose_rules import RESHAPE

_log = logging.getLogger(__name__)
_Edit = Callable[[], None]


@dataclass(frozen=True)
class Reordering:
    """Along `axis`, element i now stands where element `order[i]` is expected."""

    axis: int
    order: np.ndarray


def flatten_without_transpose(op: ir.Operation, transpose: ir.Operation) -> bool:
    """If `op` flattens the result of `transpose` for constant weights only, permute those and flatten the operand."""
    if op.name != RESHAPE:
        return False
    reordering = _reordering(transpose, shape_of(op.results[0]))
    if reordering is None:
        return False
    edits = _absorb(op.results[0], reordering)
    if edits is None:
        return False
    for edit in edits:
        edit()
    replace(op, rebuild(op, [transpose.operands[0], op.operands[1]]).results[0])
    return True


def _reordering(transpose: ir.Operation, target: tuple[int, ...]) -> Reordering | None:
    """What flattening the operand of `transpose` instead changes, if that is the order along one axis."""
    shape, permutation = shape_of(transpose.operands[0]), permutation_of(transpose)
    transposed = permuted(shape, permutation)
    merged = [segment for segment in reshape_segments(transposed, target) if len(segment.before) > 1]
    if len(merged) != 1:
        return None
    inside = {permutation[axis] for axis in merged[0].before}
    first = min(merged[0].before)
    if sorted(inside) != [axis for axis in range(min(inside), max(inside) + 1) if shape[axis] != 1]:
        return None
    leading = [permutation[axis] for axis in range(first) if transposed[axis] != 1]
    trailing = [permutation[axis] for axis in range(max(merged[0].before) + 1, len(shape)) if transposed[axis] != 1]
    if [*leading, *sorted(inside), *trailing] != [axis for axis, size in enumerate(shape) if size != 1]:
        return None
    wide = [axis for axis in merged[0].after if target[axis] != 1]
    if len(wide) != 1:
        return None
    sizes = [transposed[axis] for axis in merged[0].before]
    sources = [permutation[axis] for axis in merged[0].before]
    ranks = tuple(sorted(sources).index(source) for source in sources)
    order = np.arange(target[wide[0]]).reshape(sizes).transpose(inverse(ranks)).reshape(-1)
    return Reordering(wide[0], order)


def _absorb(value: ir.Value, reordering: Reordering) -> list[_Edit] | None:
    """The edits of constants that make all users of `value` expect the new order; None if one of them cannot."""
    edits: list[_Edit] = []
    for use in value.uses:
        op = use.owner.operation
        absorbed = _absorb_in(op, use.operand_number, reordering)
        if absorbed is None:
            _log.debug("a transpose stays before a flatten: %s at %s cannot be reordered", op.name, op.location)
            return None
        edits += absorbed
    return edits


def _absorb_in(op: ir.Operation, operand: int, reordering: Reordering) -> list[_Edit] | None:
    axis = reordering.axis
    if op.name == "tosa.conv2d" and operand == 0 and axis == 3:
        return _permute_constant(op, 1, 3, reordering)
    if op.name == "tosa.matmul" and (operand, axis) in ((0, 2), (1, 1)):
        return _permute_constant(op, 1 - operand, 1 if operand == 0 else 2, reordering)
    if op.name == RESHAPE:
        return _absorb_in_reshape(op, reordering)
    traits = traits_of(op)
    works_along_axis = "axis" in op.attributes and axis_of(op) == axis
    if traits.reduces and works_along_axis:
        return []
    per_channel = "per_channel" in op.attributes and op.attributes["per_channel"].value
    if not traits.aligned or works_along_axis or per_channel or shape_of(op.results[0])[axis] != len(reordering.order):
        return None
    edits: list[_Edit] = []
    for other, value in enumerate(data_operands(op)):
        if other == operand or shape_of(value)[axis] == 1:
            continue
        permuted_other = _permute_constant(op, other, axis, reordering)
        if permuted_other is None:
            return None
        edits += permuted_other
    rest = _absorb(op.results[0], reordering)
    return None if rest is None else edits + rest


def _absorb_in_reshape(op: ir.Operation, reordering: Reordering) -> list[_Edit] | None:
    segments = reshape_segments(shape_of(op.operands[0]), shape_of(op.results[0]))
    kept = next((segment for segment in segments if segment.before == (reordering.axis,)), None)
    if kept is None:
        return None
    wide = [axis for axis in kept.after if shape_of(op.results[0])[axis] != 1]
    return _absorb(op.results[0], Reordering(wide[0], reordering.order)) if len(wide) == 1 else None


def _permute_constant(op: ir.Operation, operand: int, axis: int, reordering: Reordering) -> list[_Edit] | None:
    array = constant_value(op.operands[operand])
    if array is None or array.shape[axis] != len(reordering.order):
        return None

    def edit() -> None:
        taken = np.take(array, reordering.order, axis)
        op.operands[operand] = constant(taken, loc=op.location, ip=ir.InsertionPoint(op))

    return [edit]
