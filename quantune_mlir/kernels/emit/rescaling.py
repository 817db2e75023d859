"""Rescales on vectors: products with a ratio of integers, in 64 bits."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Final

import numpy as np

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.casts import CODES
from quantune_mlir.kernels.emit.lanes import Context, Lanes
from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import defining_op, element_of
from quantune_mlir.mlir.tosa.wide_accumulators import fits_int32

_WORD: Final = 32
_HIGH: Final = 33
"""From this shift on only the high word of a product counts."""


def rescale(op: ir.Operation, operands: Sequence[Lanes], context: Context) -> Lanes:
    """((value - input_zp) * multiplier + 2^(shift-1)) >> shift, in 64 bits, + output_zp, saturated."""
    source, multiplier, _, input_zp, output_zp = (operand.value for operand in operands)
    if element_of(op.operands[0]) == "i48":
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
    if element_of(op.results[0]) == "i32":
        return Lanes(result)
    least, most = CODES[element_of(op.results[0])]
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
    if multiplier is None or shift is None or output_zp is None or element_of(op.results[0]) != "i32":
        return False
    return bool((multiplier.astype(np.int64) == 1 << shift.astype(np.int64)).all()) and not output_zp.any()


def is_supported_rescale(op: ir.Operation) -> bool:
    """Whether `rescale` gives what tosa.rescale does."""
    if element_of(op.operands[0]) == "i48":
        source = defining_op(op.operands[0])
        return _widens(op) and source is not None and fits_int32(source)
    single = "SINGLE_ROUND" in str(op.attributes["rounding_mode"])
    return single and bool(ir.BoolAttr(op.attributes["scale32"]).value) and element_of(op.results[0]) != "f32"
