"""Casts on vectors: f32 to integers, rounded half to even as TOSA has it, and integers to f32."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.lanes import Context, Lanes, larger, smaller
from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.constants import constant_value, is_float
from quantune_mlir.mlir.edit import defining_op, element_of

_MAGIC: Final = 12582912.0
"""1.5 * 2^23: adding it to an f32 of less than 2^22 in magnitude rounds half to even; the low bits hold the integer."""
_MAGIC_BITS: Final = 0x4B400000
_MAGIC_LIMIT: Final = 2.0**22 - 256
CODES: Final = {"i8": (-128, 127), "i16": (-32768, 32767)}
"""What integers that are stored in less than 32 bits saturate at."""
_CASTS: Final = frozenset(
    {(a, b) for a in ("i8", "i16", "i32") for b in ("i32", "f32")} | {("f32", "i8"), ("f32", "i16")}
)


def cast(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    """What tosa.cast makes of a vector."""
    (source,) = operands
    before, after = element_of(op.operands[0]), element_of(op.results[0])
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
        return Lanes(_round(source.value, context.lanes)[0], *_clamped_to(op.operands[0]))
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


def is_supported_cast(op: ir.Operation) -> bool:
    """Whether `cast` gives what tosa.cast does, for the values that are there."""
    kinds = element_of(op.operands[0]), element_of(op.results[0])
    if kinds == ("f32", "i32"):
        return _is_rounded_in_bounds(op)
    return _fits_int8(op) if kinds == ("i32", "i8") else kinds in _CASTS


def _clamped_to(value: ir.Value) -> tuple[float, float]:
    """The bounds of the clamp that makes a value; infinite if none does."""
    op = defining_op(value, "tosa.clamp")
    if op is None or not is_float(value):
        return -inf, inf
    low, high = (ir.FloatAttr(op.attributes[name]).value for name in ("min_val", "max_val"))
    return low, high


def _is_rounded_in_bounds(op: ir.Operation) -> bool:
    """Whether an f32 is cast to i32 that a clamp made small enough for the magic number."""
    low, high = _clamped_to(op.operands[0])
    return max(-low, high) < _MAGIC_LIMIT


def _fits_int8(op: ir.Operation) -> bool:
    """Whether an i32 is cast to i8 that is an f32, clamped and rounded, and a number added to it, within i8."""
    add = defining_op(op.operands[0], "tosa.add")
    rounded = None if add is None else defining_op(add.operands[0], "tosa.cast")
    shift = None if add is None else constant_value(add.operands[1])
    if rounded is None or shift is None or element_of(rounded.operands[0]) != "f32":
        return False
    low, high = _clamped_to(rounded.operands[0])
    return bool(low + shift.min() >= -128 and high + shift.max() <= 127)
