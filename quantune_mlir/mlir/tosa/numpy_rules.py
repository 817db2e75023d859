"""What single TOSA ops compute, in NumPy: the rules that the table of traits names.

Rounding follows the TOSA 1.0 specification. Transcendental functions are computed in double precision and rounded
once, so that a float32 result is within one unit in the last place of the exact one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import DTYPES

Array = np.ndarray
Rule = Callable[[ir.Operation, list[Array]], Array]
"""(op, its operands): the result, before it is converted to the op's element type."""


def plain(function: Callable[..., Array], operands: int = 2) -> Rule:
    """A NumPy function of the first operands as they are."""
    return lambda op, values: function(*values[:operands])


def in_double(function: Callable[..., Array], operands: int = 1) -> Rule:
    """A NumPy function of the first operands in double precision."""
    return lambda op, values: function(*(value.astype(np.float64) for value in values[:operands]))


def extremum(propagating: np.ufunc, ignoring: np.ufunc) -> Rule:
    """The larger or smaller of two, by what becomes of NaN."""
    return lambda op, operands: (ignoring if ignores_nan(op) else propagating)(*operands[:2])


def reduction(function: Callable[..., Array]) -> Rule:
    """A NumPy reduction over the op's axis, which stays with size one."""
    return lambda op, operands: function(operands[0], axis=_attribute(op, "axis"), keepdims=True)


def reduction_in_double(function: Callable[..., Array]) -> Rule:
    """The same, of floating-point numbers in double precision."""

    def rule(op: ir.Operation, operands: list[Array]) -> Array:
        x = operands[0]
        wide = x.astype(np.float64) if x.dtype.kind == "f" else x
        return function(wide, axis=_attribute(op, "axis"), keepdims=True)

    return rule


def error_function(x: Array) -> Array:
    """erf(x)."""
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


def divide_to_zero(x: Array, y: Array) -> Array:
    """The quotient of integers without its fraction."""
    quotient = np.abs(x.astype(np.int64)) // np.abs(y.astype(np.int64))
    return np.where((x < 0) != (y < 0), -quotient, quotient)


def logical_right_shift(x: Array, amount: Array) -> Array:
    """Zeros come in from the left."""
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    return (x.view(unsigned) >> amount.astype(unsigned)).view(x.dtype)


def leading_zeros(x: Array) -> Array:
    """How many bits stand before the first one that is set."""
    bits = 8 * x.dtype.itemsize
    unsigned = x.view(f"u{x.dtype.itemsize}").astype(np.uint64)
    return np.sum([unsigned < (1 << place) for place in range(bits)], axis=0)


def cast(op: ir.Operation, operands: list[Array]) -> Array:
    """Floating-point numbers to integers half to even, saturated, NaN as 0; all else as NumPy does."""
    x = operands[0]
    target = DTYPES[str(op.results[0].type.element_type)]
    if x.dtype.kind == "f" and target.kind == "i":
        return _round_to_integer(x.astype(np.float64), target)
    return x.astype(target)


def clamp(op: ir.Operation, operands: list[Array]) -> Array:
    """Within the op's bounds."""
    x = operands[0]
    low, high = (np.asarray(_attribute(op, name), x.dtype) for name in ("min_val", "max_val"))
    if ignores_nan(op):
        return np.fmin(np.fmax(x, low), high)
    return np.minimum(np.maximum(x, low), high)


def mul(op: ir.Operation, operands: list[Array]) -> Array:
    """The product, of integers shifted to the right and rounded."""
    x, y, shift = operands
    if x.dtype.kind == "f":
        return x * y
    product = x.astype(np.int64) * y.astype(np.int64)
    amount = int(shift.reshape(-1)[0])
    return (product + (1 << (amount - 1))) >> amount if amount else product


def negate(op: ir.Operation, operands: list[Array]) -> Array:
    """-x, of integers around their zero points, saturated."""
    x, input_zp, output_zp = operands
    if x.dtype.kind == "f":
        return -x
    limits = np.iinfo(x.dtype)
    return np.clip(int(input_zp.flat[0]) - x.astype(np.int64) + int(output_zp.flat[0]), limits.min, limits.max)


def arithmetic_right_shift(op: ir.Operation, operands: list[Array]) -> Array:
    """The sign comes in from the left; `round` adds the last bit that went."""
    x, amount = operands[0], operands[1]
    shifted = x >> amount
    if not _attribute(op, "round"):
        return shifted
    last_bit = np.where(amount > 0, (x >> np.maximum(amount - 1, 0)) & 1, 0)
    return shifted + last_bit.astype(x.dtype)


def table(op: ir.Operation, operands: list[Array]) -> Array:
    """Entry x + 128, of int8."""
    x, entries = operands
    if x.dtype != np.int8:
        raise NotImplementedError(f"a look-up of {x.dtype} in a table")
    return entries[x.astype(np.int64) + 128]


def reshape(op: ir.Operation, operands: list[Array]) -> Array:
    """To the shape that the op declares."""
    return operands[0].reshape(tuple(op.results[0].type.shape))


def transpose(op: ir.Operation, operands: list[Array]) -> Array:
    """Axis i of the result is axis perms[i]."""
    return operands[0].transpose(list(op.attributes["perms"]))


def concat(op: ir.Operation, operands: list[Array]) -> Array:
    """One after the other along the axis."""
    return np.concatenate(operands, _attribute(op, "axis"))


def cut(op: ir.Operation, operands: list[Array]) -> Array:
    """tosa.slice: from the starts on, so many."""
    x, starts, sizes = operands
    return x[tuple(slice(int(a), int(a) + int(n)) for a, n in zip(starts, sizes, strict=True))]


def pad(op: ir.Operation, operands: list[Array]) -> Array:
    """So many of a number before and after each axis."""
    x, padding, value = operands
    return np.pad(x, padding.reshape(-1, 2).astype(int), constant_values=value.reshape(-1)[0])


def tile(op: ir.Operation, operands: list[Array]) -> Array:
    """So many times along each axis."""
    return np.tile(operands[0], operands[1].astype(int))


def reverse(op: ir.Operation, operands: list[Array]) -> Array:
    """Along the axis from the last to the first."""
    return np.flip(operands[0], _attribute(op, "axis"))


def gather(op: ir.Operation, operands: list[Array]) -> Array:
    """The rows of [N, K, C] that [N, W] names."""
    values, indices = operands
    return np.stack([rows[picked] for rows, picked in zip(values, indices, strict=True)])


def argmax(op: ir.Operation, operands: list[Array]) -> Array:
    """The index of the first maximum along the axis, which goes."""
    return np.asarray(np.argmax(operands[0], axis=_attribute(op, "axis")))


def _round_to_integer(x: Array, target: np.dtype[Any]) -> Array:
    """The largest int64 is not a double: what reaches it is set apart."""
    limits = np.iinfo(target)
    rounded = np.rint(np.nan_to_num(x, posinf=np.inf, neginf=-np.inf))
    too_large = rounded >= float(limits.max)
    inside = np.where(too_large, 0, np.maximum(rounded, float(limits.min))).astype(target)
    return np.where(too_large, target.type(limits.max), inside)


def ignores_nan(op: ir.Operation) -> bool:
    """Whether an op takes NaN for smaller, or larger, than all numbers."""
    return "nan_mode" in op.attributes and "IGNORE" in str(op.attributes["nan_mode"])


def _attribute(op: ir.Operation, name: str) -> Any:
    return op.attributes[name].value
