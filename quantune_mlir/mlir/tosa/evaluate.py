"""What TOSA ops compute, in NumPy.

Rounding follows the TOSA 1.0 specification. Transcendental functions are computed in double precision and rounded
once, so that a float32 result is within one unit in the last place of the exact one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import defining_op

Array = np.ndarray
_Rule = Callable[[ir.Operation, list[Array]], Array]

_REARRANGING: Final = frozenset({"tosa.pad", "tosa.reshape", "tosa.reverse", "tosa.transpose"})
_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "i1": np.dtype(np.bool_),
    "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
}


def evaluate(op: ir.Operation | ir.OpView, operands: Sequence[Array]) -> Array | None:
    """The result of `op` on `operands`, in the element type that `op` declares.

    Elementwise ops take operands of any shapes that broadcast, whatever shape `op` declares: so a layer can be
    evaluated on a table of all its inputs.

    Returns:
        None if `op` is not one that this module knows, or its type has no NumPy equivalent.
    """
    op = op.operation
    if len(op.results) != 1:
        return None
    dtype = _DTYPES.get(str(getattr(op.results[0].type, "element_type", "")))
    if dtype is None:
        return None
    with np.errstate(all="ignore"):
        if op.name in _ELEMENTWISE:
            return np.asarray(_ELEMENTWISE[op.name](op, list(operands)), dtype)
        if op.name in _MOVEMENT:
            return np.asarray(_MOVEMENT[op.name](op, list(operands)), dtype)
    return None


def rearranged_constant(value: ir.Value) -> Array | None:
    """The array of a constant, or of one that ops pad, reshape, reverse or transpose: where it can be, a view."""
    op = defining_op(value)
    if op is None or op.name not in _REARRANGING:
        return constant_value(value)
    array, *numbers = (rearranged_constant(operand) for operand in op.operands)
    return None if array is None else evaluate(op, [array, *(number for number in numbers if number is not None)])


def _attribute(op: ir.Operation, name: str) -> Any:
    return op.attributes[name].value


def _in_double(function: Callable[[Array], Array]) -> _Rule:
    return lambda op, operands: function(operands[0].astype(np.float64))


def _plain(function: Callable[..., Array], arity: int = 2) -> _Rule:
    return lambda op, operands: function(*operands[:arity])


def _sigmoid(x: Array) -> Array:
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


def _saturate(values: Array, dtype: np.dtype[Any]) -> Array:
    limits = np.iinfo(dtype)
    return np.clip(values, limits.min, limits.max).astype(dtype)


def _cast(op: ir.Operation, operands: list[Array]) -> Array:
    x = operands[0]
    target = _DTYPES[str(op.results[0].type.element_type)]
    if x.dtype.kind == "f" and target.kind == "i":
        return _round_to_integer(x.astype(np.float64), target)
    return x.astype(target)


def _round_to_integer(x: Array, target: np.dtype[Any]) -> Array:
    """Half to even, saturated, NaN as 0. The largest int64 is not a double: what reaches it is set apart."""
    limits = np.iinfo(target)
    rounded = np.rint(np.nan_to_num(x, posinf=np.inf, neginf=-np.inf))
    too_large = rounded >= float(limits.max)
    inside = np.where(too_large, 0, np.maximum(rounded, float(limits.min))).astype(target)
    return np.where(too_large, target.type(limits.max), inside)


def _clamp(op: ir.Operation, operands: list[Array]) -> Array:
    x = operands[0]
    low, high = (np.asarray(_attribute(op, name), x.dtype) for name in ("min_val", "max_val"))
    if _ignores_nan(op):
        return np.fmin(np.fmax(x, low), high)
    return np.minimum(np.maximum(x, low), high)


def _ignores_nan(op: ir.Operation) -> bool:
    return "nan_mode" in op.attributes and "IGNORE" in str(op.attributes["nan_mode"])


def _extremum(propagating: np.ufunc, ignoring: np.ufunc) -> _Rule:
    return lambda op, operands: (ignoring if _ignores_nan(op) else propagating)(*operands[:2])


def _mul(op: ir.Operation, operands: list[Array]) -> Array:
    x, y, shift = operands
    if x.dtype.kind == "f":
        return x * y
    product = x.astype(np.int64) * y.astype(np.int64)
    amount = int(shift.reshape(-1)[0])
    return (product + (1 << (amount - 1))) >> amount if amount else product


def _negate(op: ir.Operation, operands: list[Array]) -> Array:
    x, input_zp, output_zp = operands
    if x.dtype.kind == "f":
        return -x
    return _saturate(int(input_zp.flat[0]) - x.astype(np.int64) + int(output_zp.flat[0]), x.dtype)


def _divide_to_zero(x: Array, y: Array) -> Array:
    quotient = np.abs(x.astype(np.int64)) // np.abs(y.astype(np.int64))
    return np.where((x < 0) != (y < 0), -quotient, quotient)


def _arithmetic_right_shift(op: ir.Operation, operands: list[Array]) -> Array:
    x, amount = operands[0], operands[1]
    shifted = x >> amount
    if not _attribute(op, "round"):
        return shifted
    last_bit = np.where(amount > 0, (x >> np.maximum(amount - 1, 0)) & 1, 0)
    return shifted + last_bit.astype(x.dtype)


def _logical_right_shift(x: Array, amount: Array) -> Array:
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    return (x.view(unsigned) >> amount.astype(unsigned)).view(x.dtype)


def _table(op: ir.Operation, operands: list[Array]) -> Array:
    x, table = operands
    if x.dtype != np.int8:
        raise NotImplementedError(f"tosa.table on {x.dtype}")
    return table[x.astype(np.int64) + 128]


_ELEMENTWISE: Final[dict[str, _Rule]] = {
    "tosa.abs": _plain(np.abs, 1),
    "tosa.add": _plain(np.add),
    "tosa.arithmetic_right_shift": _arithmetic_right_shift,
    "tosa.bitwise_and": _plain(np.bitwise_and),
    "tosa.bitwise_not": _plain(np.invert, 1),
    "tosa.bitwise_or": _plain(np.bitwise_or),
    "tosa.bitwise_xor": _plain(np.bitwise_xor),
    "tosa.cast": _cast,
    "tosa.ceil": _plain(np.ceil, 1),
    "tosa.clamp": _clamp,
    "tosa.cos": _in_double(np.cos),
    "tosa.equal": _plain(np.equal),
    "tosa.erf": _in_double(np.vectorize(math.erf, otypes=[np.float64])),
    "tosa.exp": _in_double(np.exp),
    "tosa.floor": _plain(np.floor, 1),
    "tosa.greater": _plain(np.greater),
    "tosa.greater_equal": _plain(np.greater_equal),
    "tosa.identity": _plain(np.array, 1),
    "tosa.intdiv": _plain(_divide_to_zero),
    "tosa.log": _in_double(np.log),
    "tosa.logical_and": _plain(np.logical_and),
    "tosa.logical_left_shift": _plain(np.left_shift),
    "tosa.logical_not": _plain(np.logical_not, 1),
    "tosa.logical_or": _plain(np.logical_or),
    "tosa.logical_right_shift": _plain(_logical_right_shift),
    "tosa.logical_xor": _plain(np.logical_xor),
    "tosa.maximum": _extremum(np.maximum, np.fmax),
    "tosa.minimum": _extremum(np.minimum, np.fmin),
    "tosa.mul": _mul,
    "tosa.negate": _negate,
    "tosa.pow": lambda op, operands: np.power(operands[0].astype(np.float64), operands[1].astype(np.float64)),
    "tosa.reciprocal": _in_double(np.reciprocal),
    "tosa.rsqrt": _in_double(lambda x: 1 / np.sqrt(x)),
    "tosa.select": _plain(np.where, 3),
    "tosa.sigmoid": _in_double(_sigmoid),
    "tosa.sin": _in_double(np.sin),
    "tosa.sub": _plain(np.subtract),
    "tosa.table": _table,
    "tosa.tanh": _in_double(np.tanh),
}


def _reshape(op: ir.Operation, operands: list[Array]) -> Array:
    return operands[0].reshape(tuple(op.results[0].type.shape))


def _transpose(op: ir.Operation, operands: list[Array]) -> Array:
    return operands[0].transpose(list(op.attributes["perms"]))


def _concat(op: ir.Operation, operands: list[Array]) -> Array:
    return np.concatenate(operands, _attribute(op, "axis"))


def _slice(op: ir.Operation, operands: list[Array]) -> Array:
    x, starts, sizes = operands
    return x[tuple(slice(int(a), int(a) + int(n)) for a, n in zip(starts, sizes, strict=True))]


def _pad(op: ir.Operation, operands: list[Array]) -> Array:
    x, padding, value = operands
    return np.pad(x, padding.reshape(-1, 2).astype(int), constant_values=value.reshape(-1)[0])


def _reverse(op: ir.Operation, operands: list[Array]) -> Array:
    return np.flip(operands[0], _attribute(op, "axis"))


def _gather(op: ir.Operation, operands: list[Array]) -> Array:
    values, indices = operands
    return np.stack([rows[picked] for rows, picked in zip(values, indices, strict=True)])


def _reduce(function: Callable[..., Array]) -> _Rule:
    return lambda op, operands: function(operands[0], axis=_attribute(op, "axis"), keepdims=True)


def _reduce_in_double(function: Callable[..., Array]) -> _Rule:
    def rule(op: ir.Operation, operands: list[Array]) -> Array:
        x = operands[0]
        wide = x.astype(np.float64) if x.dtype.kind == "f" else x
        return function(wide, axis=_attribute(op, "axis"), keepdims=True)

    return rule


def _argmax(op: ir.Operation, operands: list[Array]) -> Array:
    return np.asarray(np.argmax(operands[0], axis=_attribute(op, "axis")))


_MOVEMENT: Final[dict[str, _Rule]] = {
    "tosa.argmax": _argmax,
    "tosa.concat": _concat,
    "tosa.gather": _gather,
    "tosa.pad": _pad,
    "tosa.reduce_all": _reduce(np.all),
    "tosa.reduce_any": _reduce(np.any),
    "tosa.reduce_max": _reduce(np.max),
    "tosa.reduce_min": _reduce(np.min),
    "tosa.reduce_product": _reduce_in_double(np.prod),
    "tosa.reduce_sum": _reduce_in_double(np.sum),
    "tosa.reshape": _reshape,
    "tosa.reverse": _reverse,
    "tosa.slice": _slice,
    "tosa.tile": lambda op, operands: np.tile(operands[0], operands[1].astype(int)),
    "tosa.transpose": _transpose,
}
