"""Element-wise TOSA on vectors: one function for each op, the place that says what an epilogue may hold.

Tensors of i8, i16 and i32 are vectors of i32 here, f32 of f32, i1 of i1: what is stored is narrowed where it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.casts import cast, is_supported_cast
from quantune_mlir.kernels.emit.lanes import (
    Choice,
    Context,
    Lanes,
    larger,
    number_of,
    product_bounds,
    smaller,
    sum_bounds,
    with_nan,
)
from quantune_mlir.kernels.emit.rescaling import is_supported_rescale, rescale
from quantune_mlir.kernels.emit.trigonometry import cosine, sine
from quantune_mlir.mlir.bindings import arith, ir, math, vector
from quantune_mlir.mlir.constants import constant_value, is_constant, is_float
from quantune_mlir.mlir.edit import defining_op, element_of
from quantune_mlir.mlir.tosa.numpy_rules import ignores_nan
from quantune_mlir.mlir.tosa.traits import data_operands

Emit = Callable[[ir.Operation, Sequence[Lanes], Context], Lanes]


@dataclass(frozen=True)
class ElementwiseEmitter:
    """The function of an op; whether it takes only f32, and whether all operands have lanes, parameters too."""

    emit: Emit
    float_only: bool = False
    lanes_of_parameters: bool = False


def _add(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    a, b = operands
    if not is_float(op.results[0]):
        return Lanes(arith.AddIOp(a.value, b.value).result)
    if a.factors is None:
        a, b = b, a
    bounds = sum_bounds(a, b)
    if a.factors is None:
        return Lanes(arith.AddFOp(a.value, b.value).result, *bounds)
    if _quantizes_what_is_read(op):
        return Lanes(arith.AddFOp(code.rounded(a.value), b.value).result, *bounds)
    return Lanes(vector.FMAOp(*a.factors, b.value).result, *bounds)


def _quantizes_what_is_read(op: ir.Operation) -> bool:
    """Whether a sum makes codes of f32 from memory: on CPUs with a fused multiply-add they are those of all others."""
    products = [product for value in op.operands if (product := defining_op(value)) is not None]
    makers = [defining_op(value) for product in products for value in data_operands(product)]
    users = [use.owner.operation for use in op.results[0].uses]
    return all(maker is None or maker.name == "tosa.const" for maker in makers) and all(
        user.name == "tosa.cast" and not is_float(user.results[0]) for user in users
    )


def _sub(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    a, b = operands
    if not is_float(op.results[0]):
        return Lanes(arith.SubIOp(a.value, b.value).result)
    return Lanes(arith.SubFOp(a.value, b.value).result, *sum_bounds(a, Lanes(b.value, -b.high, -b.low)))


def _mul(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    a, b = (operand.value for operand in operands)
    if not is_float(op.results[0]):
        return Lanes(arith.MulIOp(a, b).result)
    return Lanes(arith.MulFOp(a, b).result, *product_bounds(*operands), factors=(a, b))


def _clamp(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    (source,) = operands
    low, high = (_number(op.attributes[name]) for name in ("min_val", "max_val"))
    value = source.value
    least, most = _integer(arith.MaxSIOp), _integer(arith.MinSIOp)
    if is_float(op.results[0]):
        least, most = _bounding(larger, op), _bounding(smaller, op)
    if source.low < low:
        value = least(value, context.scalar(op, "min_val"))
    if source.high > high:
        value = most(value, context.scalar(op, "max_val"))
    return Lanes(value, max(source.low, low), min(source.high, high))


def _bounding(choose: Choice, op: ir.Operation) -> Choice:
    """`choose` of a value and a bound, which is no NaN: the bound where the value is NaN if the op ignores that."""
    return choose if ignores_nan(op) else lambda value, bound: choose(bound, value)


def _integer(op: type[ir.OpView]) -> Choice:
    return lambda a, b: op(a, b).result


def _extreme(on_float: Choice, on_integer: type[ir.OpView]) -> Emit:
    def emit(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
        a, b = (operand.value for operand in operands)
        if not is_float(op.results[0]):
            return Lanes(on_integer(a, b).result)
        for value, bound, number in ((a, b, op.operands[1]), (b, a, op.operands[0])):
            if is_constant(number):
                return Lanes(_bounding(on_float, op)(value, bound))
        return Lanes((number_of if ignores_nan(op) else with_nan)(on_float, a, b))

    return emit


def _table(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    """table[value + 128]; of i16 what lies between two entries, in units of 1 / 128."""
    (source,) = operands
    lanes, buffer = context.lanes, context.buffers[op.operands[1]]
    if element_of(op.operands[0]) == "i16":
        return _interpolated(source.value, buffer, lanes)
    if context.tables is not None:
        return Lanes(context.tables.look_up(buffer, source.value), -128, 127)
    places = arith.AddIOp(source.value, code.splat(128, lanes, "i32")).result
    return Lanes(code.gather(buffer, places, lanes), -128, 127)


def _interpolated(value: ir.Value, table: ir.Value, lanes: int) -> Lanes:
    """128 table[i] + (table[i + 1] - table[i]) * (v mod 128), with v = value + 32768 and i = v / 128."""
    seven, mask, one = (code.splat(number, lanes, "i32") for number in (7, 127, 1))
    shifted = arith.AddIOp(value, code.splat(32768, lanes, "i32")).result
    place = arith.ShRSIOp(shifted, seven).result
    here, there = (code.gather(table, at, lanes) for at in (place, arith.AddIOp(place, one).result))
    rest = arith.MulIOp(arith.SubIOp(there, here).result, arith.AndIOp(shifted, mask).result).result
    return Lanes(arith.AddIOp(arith.ShLIOp(here, seven).result, rest).result)


def _sigmoid(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    """1 / (1 + exp(-x))."""
    one = code.splat(1.0, context.lanes, "f32")
    power = math.ExpOp(arith.NegFOp(operands[0].value).result).result
    return Lanes(arith.DivFOp(one, arith.AddFOp(one, power).result).result, 0.0, 1.0)


def _reciprocal(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    """1 / x."""
    return Lanes(arith.DivFOp(code.splat(1.0, context.lanes, "f32"), operands[0].value).result)


def _rsqrt(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    """1 / sqrt(x)."""
    root = math.SqrtOp(operands[0].value).result
    return Lanes(arith.DivFOp(code.splat(1.0, context.lanes, "f32"), root).result)


def _negate(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    return Lanes(arith.NegFOp(operands[0].value).result)


def _comparison(on_float: arith.CmpFPredicate, on_integer: arith.CmpIPredicate) -> ElementwiseEmitter:
    """Both of what is compared are f32, or both are integers."""

    def emit(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
        a, b = (operand.value for operand in operands)
        if is_float(op.operands[0]):
            return Lanes(arith.CmpFOp(on_float, a, b).result)
        return Lanes(arith.CmpIOp(on_integer, a, b).result)

    return ElementwiseEmitter(emit)


def _select(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    chosen, a, b = operands
    value = arith.SelectOp(chosen.value, a.value, b.value).result
    return Lanes(value, min(a.low, b.low), max(a.high, b.high))


def _number(attribute: ir.Attribute) -> float:
    kind = ir.FloatAttr if isinstance(attribute, ir.FloatAttr) else ir.IntegerAttr
    return float(kind(attribute).value)


def _function(builder: type[ir.OpView]) -> ElementwiseEmitter:
    """A function of f32 that IREE expands in vectors."""
    return ElementwiseEmitter(lambda op, operands, context: Lanes(builder(operands[0].value).result), float_only=True)


_COMPARISONS: Final[dict[str, ElementwiseEmitter]] = {
    "tosa.equal": _comparison(arith.CmpFPredicate.OEQ, arith.CmpIPredicate.eq),
    "tosa.greater": _comparison(arith.CmpFPredicate.OGT, arith.CmpIPredicate.sgt),
    "tosa.greater_equal": _comparison(arith.CmpFPredicate.OGE, arith.CmpIPredicate.sge),
}
EMITTERS: Final[dict[str, ElementwiseEmitter]] = {
    **_COMPARISONS,
    "tosa.select": ElementwiseEmitter(_select),
    "tosa.identity": ElementwiseEmitter(lambda op, operands, context: operands[0]),
    "tosa.cast": ElementwiseEmitter(cast),
    "tosa.add": ElementwiseEmitter(_add),
    "tosa.sub": ElementwiseEmitter(_sub),
    "tosa.mul": ElementwiseEmitter(_mul),
    "tosa.clamp": ElementwiseEmitter(_clamp),
    "tosa.maximum": ElementwiseEmitter(_extreme(larger, arith.MaxSIOp)),
    "tosa.minimum": ElementwiseEmitter(_extreme(smaller, arith.MinSIOp)),
    "tosa.rescale": ElementwiseEmitter(rescale, lanes_of_parameters=True),
    "tosa.table": ElementwiseEmitter(_table),
    "tosa.abs": _function(math.AbsFOp),
    "tosa.floor": _function(math.FloorOp),
    "tosa.ceil": _function(math.CeilOp),
    "tosa.exp": _function(math.ExpOp),
    "tosa.tanh": _function(math.TanhOp),
    "tosa.erf": _function(math.ErfOp),
    "tosa.log": _function(math.LogOp),
    "tosa.sigmoid": ElementwiseEmitter(_sigmoid, float_only=True),
    "tosa.reciprocal": ElementwiseEmitter(_reciprocal, float_only=True),
    "tosa.rsqrt": ElementwiseEmitter(_rsqrt, float_only=True),
    "tosa.negate": ElementwiseEmitter(_negate, float_only=True),
    "tosa.sin": ElementwiseEmitter(lambda op, x, context: Lanes(sine(x[0].value, context.lanes)), float_only=True),
    "tosa.cos": ElementwiseEmitter(lambda op, x, context: Lanes(cosine(x[0].value, context.lanes)), float_only=True),
}
"""The ops that have a kernel, by name."""


def tensor_operands(op: ir.Operation) -> list[ir.Value]:
    """The operands that have lanes: not the shift of a product, a table, or zero points."""
    emitter = EMITTERS.get(op.name)
    return list(op.operands) if emitter is not None and emitter.lanes_of_parameters else data_operands(op)


_STORABLE: Final = frozenset({"i8", "i16", "i32", "f32"})


def is_supported(op: ir.Operation) -> bool:
    """Whether a function here computes `op`, with its element types and attributes."""
    if op.name in _COMPARISONS:
        return all(element_of(operand) in _STORABLE for operand in op.operands)
    if op.name not in EMITTERS or element_of(op.results[0]) not in _STORABLE:
        return False
    if op.name == "tosa.select":
        comparison = defining_op(op.operands[0])
        return comparison is not None and comparison.name in _COMPARISONS and is_supported(comparison)
    if any(element_of(operand) not in _STORABLE for operand in op.operands):
        return op.name == "tosa.rescale" and element_of(op.operands[0]) == "i48" and is_supported_rescale(op)
    if op.name == "tosa.mul":
        shift = constant_value(op.operands[2])
        return shift is not None and not shift.any()
    if op.name == "tosa.cast":
        return is_supported_cast(op)
    if EMITTERS[op.name].float_only:
        return is_float(op.results[0])
    if op.name == "tosa.table":
        return constant_value(op.operands[1]) is not None
    return op.name != "tosa.rescale" or is_supported_rescale(op)
