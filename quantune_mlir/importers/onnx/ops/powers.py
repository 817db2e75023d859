"""Sqrt and Pow."""

from __future__ import annotations

from typing import Final

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.element_types import converted, narrowed, require_supported, widened

_LARGEST_PRODUCT: Final = 32
_POWER_ERROR: Final = 2**-20
"""Relative, of a power in fp32; more than there is."""


@operator("Sqrt")
def square_root(b: Builder, node: Node) -> Tensor:
    require_supported(node.input(0).dtype)
    return sqrt(b, node.input(0))


def sqrt(b: Builder, x: Tensor) -> Tensor:
    """TOSA has no square root; 1 / rsqrt(x) is right at 0 and infinity, which x * rsqrt(x) is not."""
    return b.unary("reciprocal", b.unary("rsqrt", x))


def constant_power(b: Builder, x: Tensor, exponent: float) -> Tensor:
    """x, which is not negative, to a number."""
    result = _by_multiplication(b, x, exponent)
    return b.binary("pow", x, b.splat(exponent, x.dtype, x.rank)) if result is None else result


@operator("Pow", since=7)
def power(b: Builder, node: Node) -> Tensor:
    base, exponent = node.input(0), node.input(1)
    if exponent.array is not None and exponent.size == 1:
        multiplied = _by_multiplication(b, widened(b, base), float(exponent.array.reshape(())))
        if multiplied is not None:
            shape = np.broadcast_shapes(base.shape, exponent.shape)
            return b.reshape(narrowed(b, multiplied, base.dtype), shape)
    floating = base.dtype if base.is_float else np.dtype(np.float32)
    result = _power(b, converted(b, base, floating), converted(b, exponent, floating))
    if base.is_float:
        return result
    return converted(b, _made_whole(b, result, exponent), base.dtype)


def _made_whole(b: Builder, result: Tensor, exponent: Tensor) -> Tensor:
    """Powers of integers before they are truncated: those that are whole may have come out a little smaller."""
    if exponent.is_float:
        return b.scaled(result, 1 + _POWER_ERROR)
    return b.unary("floor", b.shifted(result, 0.5))


def _by_multiplication(b: Builder, x: Tensor, exponent: float) -> Tensor | None:
    """x to a small multiple of a quarter, by squaring, square roots and a reciprocal; None for other exponents."""
    if exponent == 0 or abs(exponent) > _LARGEST_PRODUCT or (4 * exponent) % 1 != 0:
        return None
    if not x.is_float and (exponent < 0 or exponent % 1 != 0):
        return None
    if exponent == -0.5:
        return b.unary("rsqrt", x)
    whole, fraction = divmod(abs(exponent), 1)
    root = sqrt(b, x) if fraction else None
    result = root if fraction >= 0.5 else None
    if root is not None and fraction != 0.5:
        quarter = sqrt(b, root)
        result = quarter if result is None else b.mul(result, quarter)
    square, remaining = x, int(whole)
    while remaining:
        if remaining % 2:
            result = square if result is None else b.mul(result, square)
        remaining //= 2
        square = b.mul(square, square) if remaining else square
    assert result is not None
    return b.unary("reciprocal", result) if exponent < 0 else result


def _power(b: Builder, base: Tensor, exponent: Tensor) -> Tensor:
    """|base|^exponent with the sign of an odd power, and NaN where a negative base has an exponent with a fraction.

    TOSA's own power is defined for a base that is not negative, and not for 0^0, which is 1.
    """
    if exponent.array is not None and (exponent.array % 1 != 0).all():
        return b.binary("pow", base, exponent)
    zero = b.splat(0, base.dtype)
    magnitude = b.binary("pow", b.unary("abs", base), exponent)
    magnitude = b.select(b.compare("equal", exponent, zero), b.splat(1, base.dtype), magnitude)
    half = b.scaled(exponent, 0.5)
    even = b.compare("equal", half, b.unary("floor", half))
    whole = b.compare("equal", exponent, b.unary("floor", exponent))
    odd_or_none = b.select(whole, b.negate(magnitude), b.splat(np.nan, base.dtype))
    negative = b.compare("greater", zero, base)
    return b.select(negative, b.select(even, magnitude, odd_or_none), magnitude)
