"""What the numbers of a result are: probabilities of a softmax, class indices, or just values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import defining_op
from quantune_mlir.numerics.parts import Reading

_MOVING: Final = frozenset({"tosa.reshape", "tosa.transpose", "tosa.identity"})
_KEEPING_SCALE: Final = _MOVING | {"tosa.reduce_max", "tosa.slice", "tosa.clamp"}


@dataclass(frozen=True)
class Softmax:
    """A result that is exp x / Σ exp x, or its logarithm: of which the two, and along which axis of `value`.

    `value` is exp x, or x; from it to the result elements keep their number, but may move.
    """

    reading: Reading
    value: ir.Value
    axis: int


def find_softmax(result: ir.Value) -> Softmax | None:
    """The softmax that a result is; None if it is none."""
    op = _maker(result)
    if op is None:
        return None
    if op.name == "tosa.mul":
        exponential, total = _maker(op.operands[0]), _maker(_argument(_maker(op.operands[1]), "tosa.reciprocal"))
        if exponential is not None and exponential.name == "tosa.exp":
            return _softmax("probabilities", exponential.results[0], exponential.results[0], total)
    if op.name == "tosa.sub":
        total = _maker(_argument(_maker(op.operands[1]), "tosa.log"))
        exponential = _maker(_argument(total, "tosa.reduce_sum"))
        x = _argument(exponential, "tosa.exp")
        if exponential is not None and x is not None and _before_moves(op.operands[0]) == _before_moves(x):
            return _softmax("log probabilities", x, exponential.results[0], total)
    return None


def holds_classes(result: ir.Value) -> bool:
    """Whether a result holds truth values, or what an argmax gave."""
    element = result.type.element_type
    if not isinstance(element, ir.IntegerType):
        return False
    op = _maker(result, _MOVING | {"tosa.cast"})
    return element.width == 1 or (op is not None and op.name == "tosa.argmax")


def has_one_scale(value: ir.Value) -> bool:
    """Whether all elements are probabilities: of sigmoids, or the largest or products of such."""
    op = _maker(value, _KEEPING_SCALE)
    if op is not None and op.name == "tosa.mul":
        return all(has_one_scale(operand) for operand in list(op.operands)[:2])
    return op is not None and op.name == "tosa.sigmoid"


def _softmax(reading: Reading, value: ir.Value, exponential: ir.Value, total: ir.Operation | None) -> Softmax | None:
    """None if `total` is not a sum of the exponential as it is."""
    if _argument(total, "tosa.reduce_sum") != exponential or total is None:
        return None
    return Softmax(reading, value, ir.IntegerAttr(total.attributes["axis"]).value)


def _argument(op: ir.Operation | None, name: str) -> ir.Value | None:
    """What an op of this name reads."""
    return op.operands[0] if op is not None and op.name == name else None


def _maker(value: ir.Value | None, moves: frozenset[str] = _MOVING) -> ir.Operation | None:
    """The op that makes a value, before what only moves it."""
    return None if value is None else defining_op(_before_moves(value, moves))


def _before_moves(value: ir.Value, moves: frozenset[str] = _MOVING) -> ir.Value:
    while (op := defining_op(value)) is not None and op.name in moves:
        value = op.operands[0]
    return value
