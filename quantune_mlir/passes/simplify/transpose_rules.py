"""How each op lets a transpose through: op(transpose(x, p), ...) == transpose(op'(x, ...), q).

Each rule returns what op' is; nothing is built before it is known that all operands can be had in the layout of x
without another transpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from quantune_mlir.mlir.bindings import ir, tosa
from quantune_mlir.mlir.constants import constant, constant_value, shape_constant
from quantune_mlir.mlir.edit import defining_op, rebuild, shape_of
from quantune_mlir.mlir.permutation import (
    Permutation,
    inverse,
    keeps_element_order,
    permuted,
    transpose_after_reshape,
    without_axis,
)
from quantune_mlir.mlir.tosa.elementwise import ELEMENTWISE_ARITY

TRANSPOSE: Final = "tosa.transpose"
RESHAPE: Final = "tosa.reshape"

REDUCTIONS: Final = frozenset(f"tosa.reduce_{name}" for name in ("all", "any", "max", "min", "product", "sum"))
_ALIGNED_OPERANDS: Final = {
    **dict.fromkeys(REDUCTIONS, 1),
    **ELEMENTWISE_ARITY,
    "tosa.rescale": 1,
}

_Operand = Callable[[ir.Operation], ir.Value]
"""Builds, before the given op, an operand in another layout."""


@dataclass(frozen=True)
class Passage:
    """An op that computes on x what another computes on transpose(x, p)."""

    operands: Sequence[_Operand]
    shape: list[int]
    permutation: Permutation
    attributes: Mapping[str, ir.Attribute] = field(default_factory=dict)

    def build(self, op: ir.Operation) -> ir.Operation:
        """Build the new op before `op`, whose result is the transpose of the new one's."""
        operands = [operand(op) for operand in self.operands]
        return rebuild(op, operands, shape=self.shape, attributes=self.attributes)


def permutation_of(op: ir.Operation) -> Permutation:
    """The permutation of a tosa.transpose."""
    return tuple(op.attributes["perms"])


def transpose(value: ir.Value, permutation: Permutation, before: ir.Operation) -> ir.Operation:
    """Build a transpose of `value` before the op `before`, at its location."""
    element = value.type.element_type
    result = ir.RankedTensorType.get(permuted(shape_of(value), permutation), element)
    return tosa.TransposeOp(
        result, value, list(permutation), loc=before.location, ip=ir.InsertionPoint(before)
    ).operation


def reshape(value: ir.Value, shape: Sequence[int], before: ir.Operation) -> ir.Value:
    """Build a reshape of `value` before the op `before`, at its location; `value` itself if it has that shape."""
    if list(shape) == list(shape_of(value)):
        return value
    ip, element = ir.InsertionPoint(before), value.type.element_type
    target = shape_constant(list(shape), loc=before.location, ip=ip)
    result = ir.RankedTensorType.get(list(shape), element)
    return tosa.ReshapeOp(value, target, results=[result], loc=before.location, ip=ip).output


def data_operand_count(op: ir.Operation) -> int:
    """How many of the first operands of `op` hold data in the layout of its result; 0 if there is no rule for it."""
    if op.name == "tosa.concat":
        return len(op.operands)
    return 1 if op.name in _RULES else _ALIGNED_OPERANDS.get(op.name, 0)


def keeps_rank(op: ir.Operation, permutation: Permutation) -> bool:
    """Whether `op` can pass a transpose by `permutation` on unchanged, if all its data operands are so transposed."""
    if op.name in ("tosa.argmax", RESHAPE) or (op.name == "tosa.rescale" and not _rescale_passes(op, permutation)):
        return False
    count = data_operand_count(op)
    parameters = list(op.operands)[count:] if op.name in _RULES else []
    return count > 0 and all(constant_value(value) is not None for value in parameters)


def passage(op: ir.Operation, permutation: Permutation) -> Passage | None:
    """How a transpose by `permutation`, which makes at least one operand of `op`, passes through `op`, if it can."""
    if op.name in _RULES:
        return _RULES[op.name](op, permutation)
    count = data_operand_count(op)
    if not count or (op.name == "tosa.rescale" and not _rescale_passes(op, permutation)):
        return None
    operands = _operands(op, count, permutation)
    if operands is None:
        return None
    attributes: dict[str, ir.Attribute] = {}
    if "axis" in op.attributes:
        attributes["axis"] = _axis(op, permutation)
    return Passage(operands, _source_shape(op, permutation), permutation, attributes)


def _operands(op: ir.Operation, count: int, permutation: Permutation) -> list[_Operand] | None:
    data = [_in_source_layout(value, permutation) for value in list(op.operands)[:count]]
    if any(operand is None for operand in data):
        return None
    return [*(operand for operand in data if operand), *(_same(value) for value in list(op.operands)[count:])]


def _same(value: ir.Value) -> _Operand:
    return lambda before: value


def _source_shape(op: ir.Operation, permutation: Permutation) -> list[int]:
    return permuted(shape_of(op.results[0]), inverse(permutation))


def _in_source_layout(value: ir.Value, permutation: Permutation) -> _Operand | None:
    """How to get v such that transpose(v, permutation) is `value`, unless that takes a transpose of its own."""
    backwards = inverse(permutation)
    producer = defining_op(value, TRANSPOSE)
    if producer is not None and permutation_of(producer) == permutation:
        return _same(producer.operands[0])
    array = constant_value(value)
    if array is not None:
        return lambda before: constant(
            np.ascontiguousarray(array.transpose(backwards)), loc=before.location, ip=ir.InsertionPoint(before)
        )
    if keeps_element_order(backwards, shape_of(value)):
        return lambda before: reshape(value, permuted(shape_of(value), backwards), before)
    return None


def _axis(op: ir.Operation, permutation: Permutation) -> ir.Attribute:
    attribute = op.attributes["axis"]
    return ir.IntegerAttr.get(attribute.type, permutation[attribute.value])


def _rescale_passes(op: ir.Operation, permutation: Permutation) -> bool:
    last = len(permutation) - 1
    return not op.attributes["per_channel"].value or permutation[last] == last


def _argmax(op: ir.Operation, permutation: Permutation) -> Passage | None:
    operands = _operands(op, 1, permutation)
    if operands is None:
        return None
    left = without_axis(permutation, op.attributes["axis"].value)
    return Passage(operands, _source_shape(op, left), left, {"axis": _axis(op, permutation)})


def _per_axis(entries: int, parameters: int) -> Callable[[ir.Operation, Permutation], Passage | None]:
    """The rule of an op whose operands after the first, `parameters` of them, list `entries` numbers for each axis."""

    def rule(op: ir.Operation, permutation: Permutation) -> Passage | None:
        lists = [constant_value(value) for value in list(op.operands)[1 : 1 + parameters]]
        operands = _operands(op, 1, permutation)
        if operands is None or any(numbers is None for numbers in lists):
            return None
        for place, numbers in enumerate(lists, start=1):
            assert numbers is not None
            rows = numbers.reshape(-1, entries)[list(inverse(permutation))]
            operands[place] = _shape_operand([int(number) for number in rows.reshape(-1)])
        return Passage(operands, _source_shape(op, permutation), permutation)

    return rule


def _shape_operand(numbers: list[int]) -> _Operand:
    return lambda before: shape_constant(numbers, loc=before.location, ip=ir.InsertionPoint(before))


def _reshape(op: ir.Operation, permutation: Permutation) -> Passage | None:
    operands = _operands(op, 1, permutation)
    if operands is None:
        return None
    source = permuted(shape_of(op.operands[0]), inverse(permutation))
    moved = transpose_after_reshape(source, permutation, shape_of(op.results[0]))
    if moved is None:
        return None
    shape, after = moved
    return Passage([operands[0], _shape_operand(shape)], shape, after)


_RULES: Final[dict[str, Callable[[ir.Operation, Permutation], Passage | None]]] = {
    "tosa.argmax": _argmax,
    "tosa.pad": _per_axis(entries=2, parameters=1),
    "tosa.reshape": _reshape,
    "tosa.slice": _per_axis(entries=1, parameters=2),
    "tosa.tile": _per_axis(entries=1, parameters=1),
}
