"""Sine and cosine of vectors of f32, within two units in the last place.

    sin(x) = (-1)^k sin(x - k pi)                 k the integer nearest to x / pi
    cos(x) = (-1)^(k + 1) sin(x - (k + 1/2) pi)   k + 1/2 the half-integer nearest to x / pi

The multiple of pi is taken off in parts of few bits (Cody and Waite), whose products with k are exact up to |k| = 2^12,
and up to 2^21 where the CPU multiplies and adds in one step. What is left goes into Taylor's series: it is within
pi / 2 or, of a large x, of whose k a fraction is lost, a little more.
"""

from __future__ import annotations

import math
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.mlir.bindings import arith, ir, vector

_PI_PARTS: Final = (3.140625, 9.675025939941406e-4, 1.5099067240953445e-7, 5.126688136514179e-12)
"""π as a sum of parts of 8, 11, 11 and 24 bits."""
_MAGIC: Final = 12582912.0
"""1.5 * 2^23: adding it to an f32 of less than 2^22 in magnitude rounds half to even; the low bits hold the integer."""
_SIGN_BIT: Final = 31
_MOST_LEFT: Final = 2.5
_DEGREE: Final = 15
"""Beyond it Taylor's series adds less than 2e-8, up to 2.5."""


def sine(x: ir.Value, lanes: int) -> ir.Value:
    """sin(x)."""
    shifted = vector.FMAOp(x, _number(1 / math.pi, lanes), _number(_MAGIC, lanes)).result
    turns = arith.SubFOp(shifted, _number(_MAGIC, lanes)).result
    return _with_sign(_near_zero(_beyond(x, turns, lanes), lanes), code.bitcast(shifted, lanes, "i32"), lanes)


def cosine(x: ir.Value, lanes: int) -> ir.Value:
    """cos(x)."""
    half = _number(0.5, lanes)
    turns = vector.FMAOp(x, _number(1 / math.pi, lanes), _number(-0.5, lanes)).result
    shifted = arith.AddFOp(turns, _number(_MAGIC, lanes)).result
    turns = arith.AddFOp(arith.SubFOp(shifted, _number(_MAGIC, lanes)).result, half).result
    odd = arith.XOrIOp(code.bitcast(shifted, lanes, "i32"), code.splat(1, lanes, "i32")).result
    return _with_sign(_near_zero(_beyond(x, turns, lanes), lanes), odd, lanes)


def _beyond(x: ir.Value, turns: ir.Value, lanes: int) -> ir.Value:
    """x - turns * pi, about within pi / 2; also for an x so large that nothing is left. NaN stays NaN."""
    for part in _PI_PARTS:
        x = vector.FMAOp(turns, _number(-part, lanes), x).result
    low, high = _number(-_MOST_LEFT, lanes), _number(_MOST_LEFT, lanes)
    x = arith.SelectOp(arith.CmpFOp(arith.CmpFPredicate.OLT, x, low).result, low, x).result
    return arith.SelectOp(arith.CmpFOp(arith.CmpFPredicate.OGT, x, high).result, high, x).result


def _near_zero(x: ir.Value, lanes: int) -> ir.Value:
    """sin(x) near 0: x + x * (x^2 * series)."""
    square = arith.MulFOp(x, x).result
    powers = range(_DEGREE, 1, -2)
    coefficients = [_number((-1) ** (power // 2) / math.factorial(power), lanes) for power in powers]
    series = coefficients[0]
    for coefficient in coefficients[1:]:
        series = vector.FMAOp(series, square, coefficient).result
    return vector.FMAOp(x, arith.MulFOp(square, series).result, x).result


def _with_sign(value: ir.Value, turns: ir.Value, lanes: int) -> ir.Value:
    """`value` with the other sign where the last bit of `turns` is set."""
    sign = arith.ShLIOp(turns, code.splat(_SIGN_BIT, lanes, "i32")).result
    return code.bitcast(arith.XOrIOp(code.bitcast(value, lanes, "i32"), sign).result, lanes, "f32")


def _number(value: float, lanes: int) -> ir.Value:
    return code.splat(value, lanes, "f32")
