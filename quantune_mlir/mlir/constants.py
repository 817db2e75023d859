"""Conversion between NumPy arrays and TOSA constants.

MLIR integers are signless here: an unsigned array is stored bit for bit in the signed type of the same width.

A constant is a dense elements attribute, which its context holds; or a resource, memory that is lent to the context.
MLIR's bindings cannot read a resource: a table of arrays goes with the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

import numpy as np

from quantune_mlir.errors import ModelError
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.int48 import int48_array, int48_attribute, is_int48

MOST_DIMENSIONS: Final = 32
MOST_ELEMENTS: Final = 1 << 28
"""Elements of one tensor: a GiB in fp32."""
CONST: Final = "tosa.const"
CONST_SHAPE: Final = "tosa.const_shape"
CONSTANTS: Final = frozenset({CONST, CONST_SHAPE})
"""Ops that hold a value."""
DTYPES: Final[dict[str, np.dtype]] = {
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "i1": np.dtype(np.bool_),
    "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
}
"""What NumPy calls the element types of MLIR."""
_SIGNED_VIEW = {
    np.dtype(np.uint8): np.dtype(np.int8),
    np.dtype(np.uint16): np.dtype(np.int16),
    np.dtype(np.uint32): np.dtype(np.int32),
    np.dtype(np.uint64): np.dtype(np.int64),
}
_FLOATS = {
    np.dtype(np.float16): ir.F16Type,
    np.dtype(np.float32): ir.F32Type,
    np.dtype(np.float64): ir.F64Type,
}


def element_type(dtype: np.dtype | type) -> ir.Type:
    """The MLIR element type that stores `dtype`: f16/f32/f64, i1 for bool, signless integers.

    Raises:
        TypeError: for a dtype without such a type.
    """
    dtype = np.dtype(dtype)
    if dtype in _FLOATS:
        return _FLOATS[dtype].get()
    if dtype == np.bool_:
        return ir.IntegerType.get_signless(1)
    if dtype.kind in "iu":
        return ir.IntegerType.get_signless(dtype.itemsize * 8)
    raise TypeError(f"no MLIR element type for {dtype}")


def check_shape(shape: Sequence[int]) -> None:
    """Raises ValueError if a tensor of `shape` is larger than what can be computed, or has a negative dimension."""
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"a tensor of {len(shape)} dimensions; at most {MOST_DIMENSIONS} are supported")
    if min(shape, default=0) < 0:
        raise ValueError(f"a tensor of shape {list(shape)}, which has a negative dimension")
    if prod(int(size) for size in shape) > MOST_ELEMENTS:
        raise ValueError(f"a tensor of shape {list(shape)}; at most {MOST_ELEMENTS} elements are supported")


def tensor_type(shape: Sequence[int], dtype: np.dtype | type) -> ir.RankedTensorType:
    """The ranked tensor type of `shape`, which `check_shape` must allow, and the element type that stores `dtype`."""
    check_shape(shape)
    return ir.RankedTensorType.get(list(shape), element_type(dtype))


def elements_attribute(array: np.ndarray) -> ir.DenseElementsAttr:
    """A dense elements attribute with the values of `array`; a splat is stored as one element."""
    array = np.asarray(array)
    stored = array.view(_SIGNED_VIEW[array.dtype]) if array.dtype in _SIGNED_VIEW else array
    if array.size > 1 and _is_splat(stored):
        kind = tensor_type(array.shape, array.dtype)
        return ir.DenseElementsAttr.get_splat(kind, _scalar_attribute(kind.element_type, stored.flat[0]))
    if stored.dtype == np.bool_:
        stored = stored.view(np.int8)
    element = element_type(array.dtype)
    return ir.DenseElementsAttr.get(np.ascontiguousarray(stored), type=element, shape=list(array.shape))


def zeros_attribute(kind: ir.RankedTensorType) -> ir.DenseElementsAttr:
    """A dense elements attribute of zeros."""
    with ir.Location.unknown(kind.context):
        return ir.DenseElementsAttr.get_splat(kind, _scalar_attribute(kind.element_type, np.int8(0)))


def lend_constant(array: np.ndarray, name: str, kind: ir.RankedTensorType) -> ir.Attribute:
    """A resource of the type's context that is the memory of `array`.

    Args:
        array: C-contiguous; it is kept as long as the context lives.
        name: unlike all others in the context.
    """
    attribute = ir.DenseResourceElementsAttr.get_from_buffer(
        array, name, kind, alignment=array.itemsize, context=kind.context
    )
    _lent(kind.context)[str(attribute)] = array
    return attribute


def _lent(context: ir.Context) -> dict[str, np.ndarray]:
    """The arrays that are lent to a context, by what their attributes are spelled like."""
    return vars(context).setdefault("lent", {})


def constant(array: np.ndarray, *, loc: ir.Location | None = None, ip: ir.InsertionPoint | None = None) -> ir.Value:
    """Build a tosa.const holding `array` at the insertion point (the current one by default)."""
    return _constant_of(elements_attribute(array), loc, ip)


def int48_constant(
    array: np.ndarray, *, loc: ir.Location | None = None, ip: ir.InsertionPoint | None = None
) -> ir.Value:
    """Build a tosa.const of i48 holding an array of int64."""
    return _constant_of(int48_attribute(array), loc, ip)


def _constant_of(values: ir.Attribute, loc: ir.Location | None, ip: ir.InsertionPoint | None) -> ir.Value:
    # Half of the ops of a network are constants, and the generic builder takes half as long as the typed one.
    op = ir.Operation.create(CONST, results=[values.type], attributes={"values": values}, loc=loc, ip=ip)
    return op.results[0]


def shape_constant(
    values: Sequence[int], *, loc: ir.Location | None = None, ip: ir.InsertionPoint | None = None
) -> ir.Value:
    """Build a tosa.const_shape, the operand of reshape, tile, pad, slice and resize."""
    kind = ir.Type.parse(f"!tosa.shape<{len(values)}>")
    index = ir.IndexType.get()
    attribute = ir.DenseElementsAttr.get(np.asarray(values, np.int64), type=index, shape=[len(values)])
    op = ir.Operation.create(CONST_SHAPE, results=[kind], attributes={"values": attribute}, loc=loc, ip=ip)
    return op.results[0]


def is_constant(value: ir.Value) -> bool:
    """Whether the value is made by tosa.const or tosa.const_shape."""
    owner = value.owner
    return not isinstance(owner, ir.Block) and owner.name in CONSTANTS


def is_splat(value: ir.Value) -> bool:
    """Whether the value is a constant of which one element tells all."""
    if not is_constant(value):
        return False
    values = value.owner.attributes["values"]
    return isinstance(values, ir.DenseElementsAttr) and values.is_splat


def constant_value(value: ir.Value) -> np.ndarray | None:
    """The array held by the tosa.const or tosa.const_shape that defines `value`, or None if none does.

    The array is read-only and, but for booleans, a view of the attribute's own storage; a splat is a view with
    zero strides. It is valid as long as the context lives.

    Raises:
        ModelError: it is a resource that nobody lent.
    """
    return elements_array(value.owner.attributes["values"]) if is_constant(value) else None


def elements_array(attribute: ir.Attribute) -> np.ndarray:
    """The values of a dense elements attribute, or of a lent resource, as an array; see `constant_value`."""
    if is_int48(ir.ShapedType(attribute.type).element_type):
        array = int48_array(attribute)
    elif isinstance(attribute, ir.DenseElementsAttr):
        array = np.asarray(attribute)
    elif (array := _lent(attribute.context).get(str(attribute))) is None:
        raise ModelError(
            f"the values of a constant cannot be read: {str(attribute)[:80]}", remedy="write them as dense<...>"
        )
    array.flags.writeable = False
    return array


def _is_splat(array: np.ndarray) -> bool:
    """Whether all elements are alike, bit for bit; there is at least one."""
    has_bits = array.dtype != np.bool_ and array.flags.c_contiguous
    values = (array.view(f"i{array.dtype.itemsize}") if has_bits else array).reshape(-1)
    return bool(values[0] == values[-1]) and bool((values == values[0]).all())  # two tell for most weights


def _scalar_attribute(kind: ir.Type, value: np.generic) -> ir.Attribute:
    if isinstance(kind, ir.IntegerType):
        return ir.IntegerAttr.get(kind, int(value))
    return ir.FloatAttr.get(kind, float(value))


def is_float(value: ir.Value) -> bool:
    """Whether the value is a tensor of fp32."""
    return isinstance(value.type.element_type, ir.F32Type)
