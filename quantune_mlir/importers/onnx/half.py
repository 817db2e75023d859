"""Half precision: what a model keeps in fp16 or bf16 is computed in fp32, which holds all their numbers.

An fp16 input or output keeps its type; NumPy has no bfloat16, so that a bf16 one becomes fp32.
"""

from __future__ import annotations

from typing import Final

import numpy as np

_FLOAT32: Final = np.dtype(np.float32)
_HALF: Final = frozenset({"float16", "bfloat16"})


def computed_type(dtype: np.dtype) -> np.dtype:
    """The element type in which values of `dtype` are computed."""
    return _FLOAT32 if dtype.name in _HALF else dtype


def computed_array(array: np.ndarray) -> np.ndarray:
    """The same numbers in the type that they are computed in."""
    array = np.asarray(array)
    return array.astype(computed_type(array.dtype), copy=False)
