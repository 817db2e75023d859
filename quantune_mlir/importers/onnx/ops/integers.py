"""Bits, remainders, signs and rounding."""

from __future__ import annotations

from typing import Final

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.masks import LARGEST_MASK
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.element_types import is_infinite, narrowed, widened
from quantune_mlir.importers.onnx.ops.normalization import softmax_maximum

_BITWISE: Final = {"BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor"}
_WHOLE_FROM: Final = 2.0**23  # fp32 has no fractions from here on


@operator(*_BITWISE)
def bitwise(b: Builder, node: Node) -> Tensor:
    x, y = (widened(b, node.input(i)) for i in (0, 1))
    return narrowed(b, b.binary(_BITWISE[node.op_type], x, y), node.input(0).dtype)


@operator("BitwiseNot")
def bitwise_not(b: Builder, node: Node) -> Tensor:
    return narrowed(b, b.unary("bitwise_not", widened(b, node.input(0))), node.input(0).dtype)


@operator("BitShift")
def bit_shift(b: Builder, node: Node) -> Tensor:
    """A shift of all bits and more leaves zeros; to the right, signed numbers leave their sign."""
    x, y = (widened(b, node.input(i)) for i in (0, 1))
    if node.attribute("direction") == "LEFT" or node.input(0).is_unsigned:
        left = node.attribute("direction") == "LEFT"
        shifted = b.binary("logical_left_shift" if left else "logical_right_shift", x, y)
    else:
        most = b.splat(8 * x.dtype.itemsize - 1, x.dtype, y.rank)
        beyond = b.compare("greater", b.splat(0, y.dtype, y.rank), y)
        shifted = b.shift_right(x, b.select(beyond, most, b.binary("minimum", y, most)))
    return narrowed(b, shifted, node.input(0).dtype)


@operator("Mod")
def modulo(b: Builder, node: Node) -> Tensor:
    """x - y * (x / y rounded toward zero), which has the sign of x; with fmod=0 that of y."""
    x, y = (widened(b, node.input(i)) for i in (0, 1))
    rest = _float_rest(b, x, y) if x.is_float else b.sub(x, b.mul(b.binary("intdiv", x, y), y))
    if not node.attribute("fmod", 0):
        zero = b.splat(0, x.dtype, rest.rank)
        negative = [b.compare("greater", zero, t) for t in (rest, y)]
        exact = b.compare("equal", rest, zero)
        wrong = b.binary("logical_and", b.binary("logical_xor", *negative), b.logical_not(exact))
        rest = b.select(wrong, b.add(rest, y), rest)
    return narrowed(b, rest, node.input(0).dtype)


def _float_rest(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    """The rest of |x| by |y|, with the sign of x. The quotient may be one off, as it comes of a reciprocal."""
    size, step = b.unary("abs", x), b.unary("abs", y)
    zero = b.splat(0, x.dtype)
    quotient = b.unary("floor", b.mul(size, b.unary("reciprocal", step)))
    whole = b.select(b.compare("equal", quotient, zero), zero, b.mul(quotient, step))
    rest = b.sub(size, whole)
    rest = b.select(b.compare("greater", zero, rest), b.add(rest, step), rest)
    rest = b.select(b.compare("greater_equal", rest, step), b.sub(rest, step), rest)
    return b.select(b.compare("greater", zero, x), b.negate(rest), rest)


@operator("Sign")
def sign(b: Builder, node: Node) -> Tensor:
    x = widened(b, node.input(0))
    one, zero = (b.splat(value, x.dtype, x.rank) for value in (1, 0))
    positive, negative = b.compare("greater", x, zero), b.compare("greater", zero, x)
    result = b.select(positive, one, b.select(negative, b.splat(-1, x.dtype, x.rank), x))
    return narrowed(b, result, node.input(0).dtype)


@operator("Round")
def rounding(b: Builder, node: Node) -> Tensor:
    """Half to even, as tosa.cast does."""
    x = node.input(0)
    rounded = b.cast(b.cast(b.clamp(x, -_WHOLE_FROM, _WHOLE_FROM), np.int32), x.dtype)
    small = b.compare("greater", b.splat(_WHOLE_FROM, x.dtype, x.rank), b.unary("abs", x))
    return b.select(small, rounded, x)


@operator("IsNaN")
def is_nan(b: Builder, node: Node) -> Tensor:
    """True also of a softmax where all of a row is masked: minus infinity there would have given NaN."""
    x = node.input(0)
    result = b.logical_not(b.compare("equal", x, x))
    largest = softmax_maximum(x)
    if largest is None:
        return result
    masked = b.compare("greater_equal", b.splat(-LARGEST_MASK / 2, x.dtype, x.rank), largest)
    return b.binary("logical_or", result, masked)


@operator("IsInf")
def is_inf(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    found = [
        is_infinite(b, x, positive=name == "detect_positive")
        for name in ("detect_positive", "detect_negative")
        if node.attribute(name, 1)
    ]
    if not found:
        return Tensor.constant(np.zeros(x.shape, np.bool_))
    first, *others = found
    return b.binary("logical_or", first, others[0]) if others else first
