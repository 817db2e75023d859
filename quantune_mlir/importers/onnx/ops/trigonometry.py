"""Sin, Cos, Tan, hyperbolic functions, and the inverses of all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.element_types import require_supported
from quantune_mlir.importers.onnx.ops.functions import cosine, expm1, log1p, sine
from quantune_mlir.importers.onnx.ops.powers import sqrt

# Of (atan(x) - x) / x^3 in x^2, up to tan(pi / 8): Cephes' atanf.
_ARCTANGENT: Final = (8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1)
_SQUARE_FITS: Final = 2.0**60


def _tangent(b: Builder, x: Tensor) -> Tensor:
    return b.mul(sine(b, x), b.unary("reciprocal", cosine(b, x)))


def _arctangent(b: Builder, x: Tensor) -> Tensor:
    """Beyond tan(3 pi / 8) as pi / 2 - atan(1 / x), beyond tan(pi / 8) as pi / 4 + atan((x - 1) / (x + 1))."""
    size = b.unary("abs", x)
    steep = b.compare("greater", size, b.splat(math.tan(3 * math.pi / 8), x.dtype, x.rank))
    middle = b.compare("greater", size, b.splat(math.tan(math.pi / 8), x.dtype, x.rank))
    zero = b.splat(0, x.dtype, x.rank)
    inverse = b.negate(b.unary("reciprocal", size))
    turned = b.mul(b.shifted(size, -1), b.unary("reciprocal", b.shifted(size, 1)))
    reduced = b.select(steep, inverse, b.select(middle, turned, size))
    quarter, half = (b.splat(angle, x.dtype, x.rank) for angle in (math.pi / 4, math.pi / 2))
    square = b.mul(reduced, reduced)
    series = b.scaled(square, _ARCTANGENT[0])
    for coefficient in _ARCTANGENT[1:]:
        series = b.mul(square, b.shifted(series, coefficient))
    angle = b.add(b.select(steep, half, b.select(middle, quarter, zero)), b.add(reduced, b.mul(reduced, series)))
    return _odd(b, x, angle)


def _arcsine(b: Builder, x: Tensor) -> Tensor:
    """atan(x / sqrt((1 - x)(1 + x)))."""
    one = b.splat(1, x.dtype, x.rank)
    cosine_squared = b.mul(b.sub(one, x), b.add(one, x))
    return _arctangent(b, b.mul(x, b.unary("rsqrt", cosine_squared)))


def _arccosine(b: Builder, x: Tensor) -> Tensor:
    """2 atan(sqrt((1 - x) / (1 + x)))."""
    one = b.splat(1, x.dtype, x.rank)
    ratio = b.mul(b.sub(one, x), b.unary("reciprocal", b.add(one, x)))
    return b.scaled(_arctangent(b, sqrt(b, ratio)), 2)


def _hyperbolic_sine(b: Builder, x: Tensor) -> Tensor:
    """-t (2 + t) / 2 * exp(|x|) with t = exp(-|x|) - 1."""
    size = b.unary("abs", x)
    t = expm1(b, b.negate(size))
    return _odd(b, x, b.mul(b.scaled(b.mul(t, b.shifted(t, 2)), -0.5), b.unary("exp", size)))


def _hyperbolic_cosine(b: Builder, x: Tensor) -> Tensor:
    grown, shrunk = (b.scaled(b.unary("exp", t), 0.5) for t in (x, b.negate(x)))
    return b.add(grown, shrunk)


def _inverse_hyperbolic_sine(b: Builder, x: Tensor) -> Tensor:
    """log(1 + y + y^2 / (1 + sqrt(1 + y^2))) with y = |x|."""
    size = b.unary("abs", x)
    y = b.clamp(size, 0, _SQUARE_FITS)
    square = b.mul(y, y)
    quotient = b.mul(square, b.unary("reciprocal", b.shifted(sqrt(b, b.shifted(square, 1)), 1)))
    return _odd(b, x, _log_of_twice_if_large(b, size, log1p(b, b.add(y, quotient))))


def _inverse_hyperbolic_cosine(b: Builder, x: Tensor) -> Tensor:
    """log(1 + y + sqrt(y) sqrt(y + 2)) with y = x - 1."""
    y = b.shifted(b.clamp(x, -math.inf, _SQUARE_FITS), -1)
    return _log_of_twice_if_large(b, x, log1p(b, b.add(y, b.mul(sqrt(b, y), sqrt(b, b.shifted(y, 2))))))


def _log_of_twice_if_large(b: Builder, x: Tensor, otherwise: Tensor) -> Tensor:
    """log(2 x) where the square of x is too large to be computed with."""
    far = b.compare("greater", x, b.splat(_SQUARE_FITS, x.dtype, x.rank))
    return b.select(far, b.shifted(b.unary("log", x), math.log(2)), otherwise)


def _inverse_hyperbolic_tangent(b: Builder, x: Tensor) -> Tensor:
    """log(1 + 2 y / (1 - y)) / 2 with y = |x|."""
    y = b.unary("abs", x)
    ratio = b.mul(b.scaled(y, 2), b.unary("reciprocal", b.sub(b.splat(1, x.dtype, x.rank), y)))
    return _odd(b, x, b.scaled(log1p(b, ratio), 0.5))


def _odd(b: Builder, x: Tensor, of_size: Tensor) -> Tensor:
    """A function with f(-x) = -f(x), of which f(|x|) is given."""
    negative = b.compare("greater", b.splat(0, x.dtype, x.rank), x)
    return b.select(negative, b.negate(of_size), of_size)


_FUNCTIONS: Final[dict[str, Callable[[Builder, Tensor], Tensor]]] = {
    "Acos": _arccosine,
    "Acosh": _inverse_hyperbolic_cosine,
    "Asin": _arcsine,
    "Asinh": _inverse_hyperbolic_sine,
    "Atan": _arctangent,
    "Atanh": _inverse_hyperbolic_tangent,
    "Cos": cosine,
    "Cosh": _hyperbolic_cosine,
    "Sin": sine,
    "Sinh": _hyperbolic_sine,
    "Tan": _tangent,
}


@operator(*_FUNCTIONS)
def trigonometric(b: Builder, node: Node) -> Tensor:
    require_supported(node.input(0).dtype)
    return _FUNCTIONS[node.op_type](b, node.input(0))
