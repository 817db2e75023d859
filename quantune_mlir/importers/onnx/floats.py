"""Floats: whatever a model keeps them in, fp32 is what they are computed in.

It holds all numbers of fp16 and bf16. Doubles lose digits, once they meet what is computed at run time; constants are
folded as doubles before, for sizes are made of them. An fp16 input or output keeps its type; one of bf16, which NumPy
does not have, or of doubles, which TOSA does not have, becomes fp32.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from quantune_mlir.importers.common.tensor import Tensor

_FLOAT32: Final = np.dtype(np.float32)
_HALF: Final = frozenset({"float16", "bfloat16"})


def computed_type(dtype: np.dtype) -> np.dtype:
    """The element type in which values of `dtype` are computed at run time."""
    return _FLOAT32 if dtype.name in _HALF or dtype == np.float64 else dtype


def folded_array(array: np.ndarray) -> np.ndarray:
    """The same numbers in the type in which constants are folded."""
    array = np.asarray(array)
    return array.astype(_FLOAT32) if array.dtype.name in _HALF else array


def computed_constant(tensor: Tensor) -> Tensor:
    """A constant in the type that it is computed in, other tensors as they are."""
    if tensor.array is None or tensor.dtype == computed_type(tensor.dtype):
        return tensor
    return Tensor.constant(tensor.array.astype(computed_type(tensor.dtype)))
