"""Tensors that an ONNX file stores, as arrays."""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np
import onnx

from quantune_mlir.importers.onnx.half import computed_array

_FLOAT: Final = np.dtype("<f4")


def stored_array(proto: onnx.TensorProto) -> np.ndarray:
    """The values of a stored tensor; of raw fp32, as nearly all weights are, a view; half precision as fp32."""
    dims, raw = tuple(proto.dims), proto.raw_data
    if proto.data_type == proto.FLOAT and len(raw) == _FLOAT.itemsize * prod(dims):
        return np.frombuffer(raw, _FLOAT).reshape(dims)
    return computed_array(onnx.numpy_helper.to_array(proto))
