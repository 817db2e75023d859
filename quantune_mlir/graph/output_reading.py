"""What the numbers of a result are: probabilities of a softmax, class indices, or just values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_constant
from quantune_mlir.mlir.edit import defining_op
from quantune_mlir.mlir.tosa.traits import axis_of, data_operands, traits_of
from quantune_mlir.numerics.parts import Reading


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
    """Whether a result holds truth values, what an argmax or a loop of such gave, or what each of such stands for."""
    element, op = result.type.element_type, defining_op(result)
    if not isinstance(element, ir.IntegerType) or op is None:
        return False
    traits = traits_of(op)
    if element.width == 1 or op.name == "tosa.argmax" or traits.int8 == "loop":
        return True
    if op.name == "tosa.gather":
        return holds_classes(op.operands[1])
    if not (traits.moves or traits.elementwise or op.name == "tosa.concat") or traits.reduces:
        return False
    computed = [operand for operand in data_operands(op) if not is_constant(operand)]
    alone = len(computed) == 1 or not traits.elementwise or op.name == "tosa.select"
    return alone and all(map(holds_classes, computed))


def is_ranked(result: ir.Value) -> bool:
    """Whether elements stand in the order of a top k: its places, or what is gathered by them of other tensors."""
    return any(_ranks(op) for op in _behind(result))


def has_one_scale(value: ir.Value) -> bool:
    """Whether all elements are probabilities: of sigmoids, or the largest or products of such."""
    op = _maker(value, lambda op: traits_of(op).moves in ("stays", "reorders", "selects") or op.name == "tosa.clamp")
    if op is not None and op.name == "tosa.mul":
        return all(has_one_scale(operand) for operand in list(op.operands)[:2])
    return op is not None and op.name == "tosa.sigmoid"


def _behind(result: ir.Value) -> Iterator[ir.Operation]:
    """The ops that a result is moved, gathered and computed from element by element, and those where that ends."""
    seen: set[ir.Value] = set()
    left = [result]
    while left:
        value = left.pop()
        op = defining_op(value)
        if op is None or value in seen:
            continue
        seen.add(value)
        yield op
        traits = traits_of(op)
        if op.name == "tosa.gather" and _is_sorted(op):
            left.append(op.operands[0])
        elif traits.moves or traits.elementwise or op.name == "tosa.concat":
            left.extend(operand for operand in op.operands if not is_constant(operand))


def _ranks(op: ir.Operation) -> bool:
    """Whether an op makes the places of a top k: a loop of integers, or the largest of all, of the rest, and so on."""
    if not isinstance(op.results[0].type.element_type, ir.IntegerType):
        return False
    if op.name != "tosa.concat":
        return traits_of(op).int8 == "loop"
    last = _maker(op.operands[-1])
    rest = None if last is None or last.name != "tosa.argmax" else defining_op(last.operands[0])
    return rest is not None and rest.name == "tosa.select"


def _is_sorted(gather: ir.Operation) -> bool:
    """Whether what is gathered is what its own order was found in."""
    loops = filter(_ranks, _behind(gather.operands[1]))
    ordered = {_before_moves(value, _keeps) for loop in loops for value in loop.operands}
    return _before_moves(gather.operands[0], _keeps) in ordered


def _keeps(op: ir.Operation) -> bool:
    """Whether elements stay what they are, but for their sign."""
    return _moves(op) or op.name == "tosa.negate"


def _softmax(reading: Reading, value: ir.Value, exponential: ir.Value, total: ir.Operation | None) -> Softmax | None:
    """None if `total` is not a sum of the exponential as it is."""
    if _argument(total, "tosa.reduce_sum") != exponential or total is None:
        return None
    return Softmax(reading, value, axis_of(total))


def _argument(op: ir.Operation | None, name: str) -> ir.Value | None:
    """What an op of this name reads."""
    return op.operands[0] if op is not None and op.name == name else None


def _moves(op: ir.Operation) -> bool:
    """Whether all elements stay, along axes that may be others."""
    return traits_of(op).moves == "stays" or op.name == "tosa.transpose"


def _maker(value: ir.Value | None, passes: Callable[[ir.Operation], bool] = _moves) -> ir.Operation | None:
    """The op that makes a value, before what only moves it."""
    return None if value is None else defining_op(_before_moves(value, passes))


def _before_moves(value: ir.Value, passes: Callable[[ir.Operation], bool] = _moves) -> ir.Value:
    while (op := defining_op(value)) is not None and passes(op):
        value = op.operands[0]
    return value
