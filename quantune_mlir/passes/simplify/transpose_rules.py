"""How each op lets a transpose through: op(transpose(x, p), ...) == transpose(op'(x, ...), q).

Each rule returns what op' is; nothing is built before it is known that all operands can be had in the layout of x
without another transpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value, shape_constant
from quantune_mlir.mlir.edit import defining_op, rebuild, shape_of
from quantune_mlir.mlir.permutation import (
    Permutation,
    inverse,
    keeps_element_order,
    permutation_of,
    permuted,
    transpose_after_reshape,
    without_axis,
)
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.traits import axis_of, data_operands, traits_of

TRANSPOSE: Final = "tosa.transpose"
RESHAPE: Final = "tosa.reshape"

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


def transpose(value: ir.Value, permutation: Permutation, before: ir.Operation) -> ir.Operation:
    """Build a transpose of `value` before the op `before`, at its location."""
    with ir.InsertionPoint(before), before.location:
        return build.transpose(value, permutation).owner.operation


def reshape(value: ir.Value, shape: Sequence[int], before: ir.Operation) -> ir.Value:
    """Build a reshape of `value` before the op `before`, at its location; `value` itself if it has that shape."""
    if list(shape) == list(shape_of(value)):
        return value
    with ir.InsertionPoint(before), before.location:
        return build.reshape(value, shape)


def keeps_rank(op: ir.Operation, permutation: Permutation) -> bool:
    """Whether `op` can pass a transpose by `permutation` on unchanged, if all its data operands are so transposed."""
    return _is_aligned(op, permutation) and all(constant_value(value) is not None for value in _lists(op))


def passage(op: ir.Operation, permutation: Permutation) -> Passage | None:
    """How a transpose by `permutation`, which makes at least one operand of `op`, passes through `op`, if it can."""
    if op.name in _RULES:
        return _RULES[op.name](op, permutation)
    if not keeps_rank(op, permutation):
        return None
    operands = _operands(op, permutation)
    if operands is None:
        return None
    for place, value in enumerate(_lists(op), start=len(data_operands(op))):
        operands[place] = _moved_list(op, value, permutation)
    attributes: dict[str, ir.Attribute] = {}
    if "axis" in op.attributes:
        attributes["axis"] = _axis(op, permutation)
    return Passage(operands, _source_shape(op, permutation), permutation, attributes)


def _is_aligned(op: ir.Operation, permutation: Permutation) -> bool:
    """Whether each axis of the result is that axis of the data operands, as far as it is moved."""
    last = len(permutation) - 1
    by_channel = "per_channel" in op.attributes and op.attributes["per_channel"].value
    return traits_of(op).aligned and not (by_channel and permutation[last] != last)


def _lists(op: ir.Operation) -> list[ir.Value]:
    """The parameters that hold numbers for each axis."""
    parameters = list(op.operands)[len(data_operands(op)) :] if traits_of(op).per_axis else []
    return [value for value in parameters if not isinstance(value.type, ir.RankedTensorType)]


def _moved_list(op: ir.Operation, value: ir.Value, permutation: Permutation) -> _Operand:
    numbers = constant_value(value)
    assert numbers is not None
    rows = numbers.reshape(-1, traits_of(op).per_axis)[list(inverse(permutation))]
    return _shape_operand([int(number) for number in rows.reshape(-1)])


def _operands(op: ir.Operation, permutation: Permutation) -> list[_Operand] | None:
    data = data_operands(op)
    moved = [_in_source_layout(value, permutation) for value in data]
    if any(operand is None for operand in moved):
        return None
    return [*(operand for operand in moved if operand), *(_same(value) for value in list(op.operands)[len(data) :])]


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
    return ir.IntegerAttr.get(op.attributes["axis"].type, permutation[axis_of(op)])


def _argmax(op: ir.Operation, permutation: Permutation) -> Passage | None:
    """Not away from the last axis, along which there is a kernel; IREE fails at some of the others."""
    last = len(permutation) - 1
    operands = _operands(op, permutation)
    if operands is None or axis_of(op) == last != permutation[last]:
        return None
    left = without_axis(permutation, axis_of(op))
    return Passage(operands, _source_shape(op, left), left, {"axis": _axis(op, permutation)})


def _shape_operand(numbers: list[int]) -> _Operand:
    return lambda before: shape_constant(numbers, loc=before.location, ip=ir.InsertionPoint(before))


def _reshape(op: ir.Operation, permutation: Permutation) -> Passage | None:
    operands = _operands(op, permutation)
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
    "tosa.reshape": _reshape,
}
"""Ops whose result has other axes than their operand."""
