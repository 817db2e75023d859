"""Functions that TOSA lacks or that lose their last digits, accurate in relative error over the range of fp32."""

from __future__ import annotations

import math
from typing import Final

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.tensor import Tensor

# pi in three parts: the first two have 8 and 11 bits, so that their products with k are exact up to |k| = 2^12.
_PI_PARTS: Final = (3.140625, 9.67502593994140625e-4, 1.509957990978376432e-7)
_SINE_DEGREE: Final = 13  # Beyond it Taylor's series adds less than 1e-9 of the sine, up to pi / 2.


def log1p(b: Builder, x: Tensor) -> Tensor:
    """log(1 + x) for x >= 0, as log(u) + (x - (u - 1)) / u with u = 1 + x rounded.

    The second term is what the rounding of u took away: all of a small x.
    """
    u = b.shifted(x, 1)
    lost = b.sub(x, b.shifted(u, -1))
    return b.add(b.unary("log", u), b.mul(lost, b.unary("reciprocal", u)))


def expm1(b: Builder, x: Tensor) -> Tensor:
    """exp(x) - 1 for x <= 0, as 2 t / (1 - t) with t = tanh(x / 2), where nothing cancels."""
    t = b.unary("tanh", b.scaled(x, 0.5))
    return b.mul(b.scaled(t, 2), b.unary("reciprocal", b.sub(b.splat(1, x.dtype, x.rank), t)))


def softplus(b: Builder, x: Tensor) -> Tensor:
    """log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|)), which cannot overflow."""
    rest = b.unary("exp", b.negate(b.unary("abs", x)))
    return b.add(b.clamp(x, 0, math.inf), log1p(b, rest))


def sine(b: Builder, x: Tensor) -> Tensor:
    """sin(x) = (-1)^k sin(x - k pi), with k pi the multiple of pi nearest to x.

    tosa.sin, as IREE compiles it, is 6e-8 at 0 and gets worse with every turn.
    """
    k = b.unary("floor", b.shifted(b.scaled(x, 1 / math.pi), 0.5))
    return b.mul(_sine_near_zero(b, _beyond(b, x, k)), _alternating(b, k))


def cosine(b: Builder, x: Tensor) -> Tensor:
    """cos(x) = (-1)^(k + 1) sin(x - (k + 1/2) pi), with (k + 1/2) pi the zero of the cosine nearest to x."""
    k = b.unary("floor", b.scaled(x, 1 / math.pi))
    return b.mul(_sine_near_zero(b, _beyond(b, x, b.shifted(k, 0.5))), b.negate(_alternating(b, k)))


def _beyond(b: Builder, x: Tensor, turns: Tensor) -> Tensor:
    """x - turns * pi, which is within pi / 2, after Cody and Waite; also for an x so large that nothing is left."""
    for part in _PI_PARTS:
        x = b.sub(x, b.scaled(turns, part))
    return b.clamp(x, -math.pi / 2, math.pi / 2)


def _sine_near_zero(b: Builder, x: Tensor) -> Tensor:
    """sin(x) within pi / 2, by Taylor's series."""
    square = b.mul(x, x)
    coefficients = [(-1) ** (power // 2) / math.factorial(power) for power in range(_SINE_DEGREE, 1, -2)]
    series = b.scaled(square, coefficients[0])
    for coefficient in coefficients[1:]:
        series = b.mul(square, b.shifted(series, coefficient))
    return b.add(x, b.mul(x, series))


def _alternating(b: Builder, k: Tensor) -> Tensor:
    """1 for even whole numbers, -1 for odd ones."""
    odd = b.sub(k, b.scaled(b.unary("floor", b.scaled(k, 0.5)), 2))
    return b.shifted(b.scaled(odd, -2), 1)
