"""Tensors that an ONNX file stores, as arrays."""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np
import onnx

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.onnx.floats import folded_array

_FLOAT: Final = np.dtype("<f4")
_T: Final = onnx.TensorProto
NUMBERS: Final = frozenset(
    {
        *(_T.FLOAT, _T.FLOAT16, _T.BFLOAT16, _T.DOUBLE, _T.BOOL),
        *(_T.INT8, _T.INT16, _T.INT32, _T.INT64, _T.UINT8, _T.UINT16, _T.UINT32, _T.UINT64),
    }
)
_TYPED_FIELDS: Final = ("float_data", "double_data", "int32_data", "int64_data", "uint64_data")


def stored_array(proto: onnx.TensorProto) -> np.ndarray:
    """The values of a stored tensor; of raw fp32, as nearly all weights are, a view; half precision as fp32.

    Raises:
        ModelError: what is stored does not fit the tensor's dimensions.
        Unsupported: its elements are no numbers, or of a type that is not imported.
    """
    dims, raw = tuple(proto.dims), proto.raw_data
    if proto.data_type not in NUMBERS:
        raise Unsupported(f"a tensor of {type_name(proto.data_type)}")
    if min(dims, default=1) < 0 or proto.HasField("segment"):
        raise _broken(proto, f"dimensions {list(dims)}, or stored in segments")
    if proto.data_type == _T.FLOAT and len(raw) == _FLOAT.itemsize * prod(dims):
        return np.frombuffer(raw, _FLOAT).reshape(dims)
    itemsize = element_size(proto.data_type)
    found = len(raw) / itemsize if proto.HasField("raw_data") else max(len(getattr(proto, f)) for f in _TYPED_FIELDS)
    if found != prod(dims):
        raise _broken(proto, f"{prod(dims)} elements are declared, {found:g} are stored")
    try:
        return folded_array(onnx.numpy_helper.to_array(proto))
    except (ValueError, TypeError, OverflowError) as error:
        raise _broken(proto, str(error)) from error


def element_size(data_type: int) -> int:
    """Bytes that an element takes in a file; 0 for those that are no numbers, or smaller than a byte."""
    if data_type not in NUMBERS:
        return 0
    return 2 if data_type == _T.BFLOAT16 else onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize


def type_name(data_type: int) -> str:
    """An element type's name, or its number where ONNX has no name for it."""
    return _T.DataType.Name(data_type).lower() if data_type in _T.DataType.values() else f"type {data_type}"


def _broken(proto: onnx.TensorProto, why: str) -> ModelError:
    return ModelError(f"tensor {proto.name!r} is broken: {why}", remedy="export or download the model again")
