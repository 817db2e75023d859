"""Element-wise TOSA on vectors: one function for each op, the place that says what an epilogue may hold.

Tensors of i8, i16 and i32 are vectors of i32 here, f32 of f32, i1 of i1: what is stored is narrowed where it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final

import numpy as np

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.lanes import Context, Lanes, larger, product_bounds, smaller, sum_bounds
from quantune_mlir.kernels.emit.trigonometry import cosine, sine
from quantune_mlir.mlir.bindings import arith, ir, math, vector
from quantune_mlir.mlir.constants import constant_value, is_float
from quantune_mlir.mlir.edit import defining_op
from quantune_mlir.mlir.tosa.traits import data_operands
from quantune_mlir.mlir.tosa.wide_accumulators import fits_int32

_MAGIC: Final = 12582912.0
"""1.5 * 2^23: adding it to an f32 of less than 2^22 in magnitude rounds half to even; the low bits hold the integer."""
_MAGIC_BITS: Final = 0x4B400000
_MAGIC_LIMIT: Final = 2.0**22 - 256
CODES: Final = {"i8": (-128, 127), "i16": (-32768, 32767)}
"""What integers that are stored in less than 32 bits saturate at."""
_WORD: Final = 32
_HIGH: Final = 33
"""From this shift on only the high word of a product counts."""


Emit = Callable[[ir.Operation, Sequence[Lanes], Context], Lanes]


@dataclass(frozen=True)
class ElementwiseEmitter:
    """The function of an op; whether it takes only f32, and whether all operands have lanes, parameters too."""

    emit: Emit
    float_only: bool = False
    lanes_of_parameters: bool = False


def _element(value: ir.Value) -> str:
    return str(ir.RankedTensorType(value.type).element_type)


def _cast(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    (source,) = operands
    before, after = _element(op.operands[0]), _element(op.results[0])
    if before == after or (before in CODES and after == "i32"):
        return source
    f32 = code.vector_type(context.lanes, "f32")
    if after == "f32":
        if source.rounded is not None:
            return Lanes(source.rounded, source.low, source.high)
        return Lanes(arith.SIToFPOp(f32, source.value).result, source.low, source.high)
    if before == "i32":
        return source
    if after == "i32":
        return Lanes(_round(source.value, context.lanes)[0], *clamped_to(op.operands[0]))
    return _round_to_codes(source, context, *CODES[after])


def _round_to_codes(source: Lanes, context: Context, least: int, most: int) -> Lanes:
    """Half to even, saturated: before rounding, or after it where the values are known to be small enough."""
    if max(-source.low, source.high) < _MAGIC_LIMIT:
        return _round_then_saturate(source, context, least, most)
    value = source.value
    low, high = max(source.low, float(least)), min(source.high, float(most))
    if source.low < least:
        value = larger(value, code.splat(float(least), context.lanes, "f32"))
    if source.high > most:
        value = smaller(value, code.splat(float(most), context.lanes, "f32"))
    integer, real = _round(value, context.lanes)
    return Lanes(integer, low, high, rounded=real)


def _round(value: ir.Value, lanes: int) -> tuple[ir.Value, ir.Value]:
    """As i32 and as f32; half to even, which adding the magic number does where `value` is rounded to f32 before."""
    magic = code.splat(_MAGIC, lanes, "f32")
    shifted = arith.AddFOp(code.rounded(value), magic).result
    bits = code.bitcast(shifted, lanes, "i32")
    integer = arith.SubIOp(bits, code.splat(_MAGIC_BITS, lanes, "i32")).result
    return integer, arith.SubFOp(shifted, magic).result


def _round_then_saturate(source: Lanes, context: Context, least: int, most: int) -> Lanes:
    """Integers that saturate when they are narrowed, which takes no instruction of its own where that can saturate."""
    integer, real = _round(source.value, context.lanes)
    if source.low < least:
        integer = arith.MaxSIOp(integer, code.splat(least, context.lanes, "i32")).result
        real = larger(real, code.splat(float(least), context.lanes, "f32"))
    if source.high > most:
        integer = arith.MinSIOp(integer, code.splat(most, context.lanes, "i32")).result
        real = smaller(real, code.splat(float(most), context.lanes, "f32"))
    return Lanes(integer, max(source.low, float(least)), min(source.high, float(most)), rounded=real)


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
    least, most = larger, smaller
    if not is_float(op.results[0]):
        least = _integer(arith.MaxSIOp)
        most = _integer(arith.MinSIOp)
    if source.low < low:
        value = least(value, context.scalar(op, "min_val"))
    if source.high > high:
        value = most(value, context.scalar(op, "max_val"))
    return Lanes(value, max(source.low, low), min(source.high, high))


def _integer(op: type[ir.OpView]) -> Callable[[ir.Value, ir.Value], ir.Value]:
    return lambda a, b: op(a, b).result


def _extreme(on_float: Callable[[ir.Value, ir.Value], ir.Value], on_integer: type[ir.OpView]) -> Emit:
    def emit(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
        a, b = (operand.value for operand in operands)
        return Lanes(on_float(a, b) if is_float(op.results[0]) else on_integer(a, b).result)

    return emit


def _rescale(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    """((value - input_zp) * multiplier + 2^(shift-1)) >> shift, in 64 bits, + output_zp, saturated."""
    source, multiplier, _, input_zp, output_zp = (operand.value for operand in operands)
    if _element(op.operands[0]) == "i48":
        return operands[0]
    if _widens(op):
        return Lanes(arith.SubIOp(source, input_zp).result)
    difference = arith.SubIOp(source, input_zp).result
    left = _left_shift(operands[1], operands[2], context.lanes)
    if left is not None:
        scaled = arith.ShLIOp(difference, left).result
    else:
        wide = code.vector_type(context.lanes, "i64")
        product = arith.MulIOp(*(arith.ExtSIOp(wide, factor).result for factor in (difference, multiplier))).result
        scale = _scaled_by_high_word if operands[2].low >= _HIGH else _scaled
        scaled = scale(product, operands[2], context.lanes)
    result = arith.AddIOp(scaled, output_zp).result
    if _element(op.results[0]) == "i32":
        return Lanes(result)
    least, most = CODES[_element(op.results[0])]
    result = arith.MaxSIOp(result, code.splat(least, context.lanes, "i32")).result
    result = arith.MinSIOp(result, code.splat(most, context.lanes, "i32")).result
    return Lanes(result, least, most)


def _left_shift(multiplier: Lanes, shift: Lanes, lanes: int) -> ir.Value | None:
    """By how much a rescale shifts to the left, where its ratio is a power of two and nothing is rounded."""
    power = int(multiplier.low).bit_length() - 1 if isfinite(multiplier.low) else -1
    if multiplier.low != multiplier.high or multiplier.low != 2.0**power or shift.high > power:
        return None
    return arith.SubIOp(code.splat(power, lanes, "i32"), shift.value).result


def _scaled(product: ir.Value, shift: Lanes, lanes: int) -> ir.Value:
    """(product + 2^(shift-1)) >> shift, as i32."""
    amount = shift.value
    if shift.high < _WORD:  # Said in a way that LLVM understands: CPUs of 32 bits shift 64 in fewer steps then.
        amount = arith.AndIOp(amount, code.splat(_WORD - 1, lanes, "i32")).result
    places, one = arith.ExtUIOp(product.type, amount).result, code.splat(1, lanes, "i64")
    half = arith.ShLIOp(one, arith.SubIOp(places, one).result).result
    scaled = arith.ShRSIOp(arith.AddIOp(product, half).result, places).result
    return arith.TruncIOp(code.vector_type(lanes, "i32"), scaled).result


def _scaled_by_high_word(product: ir.Value, shift: Lanes, lanes: int) -> ir.Value:
    """The same where shift >= 33: the low word is cut off, and nothing carries from it, since half of it is 0."""
    upper = arith.ShRSIOp(product, code.splat(_WORD, lanes, "i64")).result
    high = arith.TruncIOp(code.vector_type(lanes, "i32"), upper).result
    places = arith.SubIOp(shift.value, code.splat(_WORD, lanes, "i32")).result
    one = code.splat(1, lanes, "i32")
    half = arith.ShLIOp(one, arith.SubIOp(places, one).result).result
    return arith.ShRSIOp(arith.AddIOp(high, half).result, places).result


def _widens(op: ir.Operation) -> bool:
    """Whether a rescale is value - input_zp in i32: its ratio is 1."""
    multiplier, shift, output_zp = (constant_value(op.operands[position]) for position in (1, 2, 4))
    if multiplier is None or shift is None or output_zp is None or _element(op.results[0]) != "i32":
        return False
    return bool((multiplier.astype(np.int64) == 1 << shift.astype(np.int64)).all()) and not output_zp.any()


def _table(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    """table[value + 128]; of i16 what lies between two entries, in units of 1 / 128."""
    (source,) = operands
    lanes, buffer = context.lanes, context.buffers[op.operands[1]]
    if _element(op.operands[0]) == "i16":
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
    "tosa.cast": ElementwiseEmitter(_cast),
    "tosa.add": ElementwiseEmitter(_add),
    "tosa.sub": ElementwiseEmitter(_sub),
    "tosa.mul": ElementwiseEmitter(_mul),
    "tosa.clamp": ElementwiseEmitter(_clamp),
    "tosa.maximum": ElementwiseEmitter(_extreme(larger, arith.MaxSIOp)),
    "tosa.minimum": ElementwiseEmitter(_extreme(smaller, arith.MinSIOp)),
    "tosa.rescale": ElementwiseEmitter(_rescale, lanes_of_parameters=True),
    "tosa.table": ElementwiseEmitter(_table),
    "tosa.abs": _function(math.AbsFOp),
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
_CASTS: Final = frozenset(
    {(a, b) for a in ("i8", "i16", "i32") for b in ("i32", "f32")} | {("f32", "i8"), ("f32", "i16")}
)


def clamped_to(value: ir.Value) -> tuple[float, float]:
    """The bounds of the clamp that makes a value; infinite if none does."""
    op = defining_op(value, "tosa.clamp")
    if op is None or not is_float(value):
        return -inf, inf
    low, high = (ir.FloatAttr(op.attributes[name]).value for name in ("min_val", "max_val"))
    return low, high


def _is_rounded_in_bounds(op: ir.Operation) -> bool:
    """Whether an f32 is cast to i32 that a clamp made small enough for the magic number."""
    low, high = clamped_to(op.operands[0])
    return max(-low, high) < _MAGIC_LIMIT


def _fits_int8(op: ir.Operation) -> bool:
    """Whether an i32 is cast to i8 that is an f32, clamped and rounded, and a number added to it, within i8."""
    add = defining_op(op.operands[0], "tosa.add")
    rounded = None if add is None else defining_op(add.operands[0], "tosa.cast")
    shift = None if add is None else constant_value(add.operands[1])
    if rounded is None or shift is None or _element(rounded.operands[0]) != "f32":
        return False
    low, high = clamped_to(rounded.operands[0])
    return bool(low + shift.min() >= -128 and high + shift.max() <= 127)


def is_supported(op: ir.Operation) -> bool:
    """Whether a function here computes `op`, with its element types and attributes."""
    if op.name in _COMPARISONS:
        return all(_element(operand) in _STORABLE for operand in op.operands)
    if op.name not in EMITTERS or _element(op.results[0]) not in _STORABLE:
        return False
    if op.name == "tosa.select":
        comparison = defining_op(op.operands[0])
        return comparison is not None and comparison.name in _COMPARISONS and is_supported(comparison)
    if op.name == "tosa.rescale" and _element(op.operands[0]) == "i48":
        source = defining_op(op.operands[0])
        return _widens(op) and source is not None and fits_int32(source)
    if any(_element(operand) not in _STORABLE for operand in op.operands):
        return False
    if op.name == "tosa.mul":
        shift = constant_value(op.operands[2])
        return shift is not None and not shift.any()
    if op.name == "tosa.cast":
        kinds = _element(op.operands[0]), _element(op.results[0])
        if kinds == ("f32", "i32"):
            return _is_rounded_in_bounds(op)
        return _fits_int8(op) if kinds == ("i32", "i8") else kinds in _CASTS
    if EMITTERS[op.name].float_only:
        return is_float(op.results[0])
    if op.name == "tosa.table":
        return constant_value(op.operands[1]) is not None
    if op.name == "tosa.rescale":
        single = "SINGLE_ROUND" in str(op.attributes["rounding_mode"])
        return single and bool(ir.BoolAttr(op.attributes["scale32"]).value) and _element(op.results[0]) != "f32"
    return True
