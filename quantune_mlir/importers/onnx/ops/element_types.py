"""Element types: what TOSA computes in, and ONNX's Cast.

TOSA's elementwise ops take f16, f32, i32 and i64 only. Narrower and unsigned integers are widened first and
narrowed after.
"""

from __future__ import annotations

import numpy as np

from quantune_mlir.importers.common import masks
from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.masks import LARGEST_MASK, is_mask
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.floats import computed_type

_WIDER = {
    np.dtype(np.int8): np.dtype(np.int32),
    np.dtype(np.uint8): np.dtype(np.int32),
    np.dtype(np.int16): np.dtype(np.int32),
    np.dtype(np.uint16): np.dtype(np.int32),
    np.dtype(np.uint32): np.dtype(np.int64),
}


def require_supported(dtype: np.dtype) -> None:
    """Refuse the element types that TOSA has no tensors of."""
    if dtype.kind not in "biuf":
        raise Unsupported(f"element type {'string' if dtype.kind == 'O' else dtype}")


def widened(b: Builder, x: Tensor) -> Tensor:
    """`x` in a type that TOSA computes in, with the same values."""
    require_supported(x.dtype)
    if x.dtype == np.uint64:
        raise Unsupported("element type uint64")
    wider = _WIDER.get(x.dtype)
    if wider is None:
        return x
    if x.array is not None:
        return Tensor.constant(x.array.astype(wider))
    result = b.cast(x, wider)
    if x.is_unsigned:
        mask = b.splat((1 << (8 * x.dtype.itemsize)) - 1, wider, x.rank)
        result = b.binary("bitwise_and", result, mask)
    return result


def narrowed(b: Builder, x: Tensor, dtype: np.dtype) -> Tensor:
    """`x`, the result of widened arithmetic, in `dtype` again; integers wrap around."""
    if x.dtype == dtype:
        return x
    stored = np.dtype(f"i{dtype.itemsize}")
    value = b.value(b.cast(x, stored))
    return Tensor.computed(value, dtype)


def converted(b: Builder, x: Tensor, dtype: np.dtype) -> Tensor:
    """ONNX's Cast: floats are truncated toward zero, integers wrap around, bool is x != 0."""
    dtype = computed_type(dtype)
    require_supported(dtype)
    if x.dtype == dtype:
        return x
    if x.array is not None:
        return Tensor.constant(x.array.astype(dtype))
    require_supported(x.dtype)
    if x.dtype == np.bool_:
        return _from_bool(b, x, dtype)
    x = widened(b, x)
    if dtype == np.bool_:
        return b.logical_not(b.compare("equal", x, b.splat(0, x.dtype, x.rank)))
    if dtype.kind == "f":
        if x.dtype == np.int64:
            x = b.cast(x, np.int32)
        return b.cast(x, dtype)
    if x.is_float:
        x = b.cast(truncated(b, x), np.int32)
    if dtype.itemsize == 8:
        x = b.cast(x, np.int64)
    return narrowed(b, x, dtype)


def _from_bool(b: Builder, x: Tensor, dtype: np.dtype) -> Tensor:
    return b.select(x, b.splat(1, dtype, x.rank), b.splat(0, dtype, x.rank))


def finite_mask(x: Tensor) -> Tensor:
    """A constant that is added or chosen, without infinities and what is nearly infinite; see `masks`."""
    return x if x.array is None or not is_mask(x.array) else Tensor.constant(masks.finite_mask(x.array))


def is_infinite(b: Builder, x: Tensor, *, positive: bool) -> Tensor:
    """Whether numbers are infinite, or what `finite_mask` made of infinities and sums of them."""
    bound = b.splat(LARGEST_MASK / 2 if positive else -LARGEST_MASK / 2, x.dtype, x.rank)
    return b.compare("greater_equal", x, bound) if positive else b.compare("greater_equal", bound, x)


def truncated(b: Builder, x: Tensor) -> Tensor:
    """Floats rounded toward zero."""
    negative = b.compare("greater", b.splat(0, x.dtype, x.rank), x)
    return b.select(negative, b.unary("ceil", x), b.unary("floor", x))
