"""Numbers that stand for infinities in masks of attention.

Masks are written as minus infinity, or the least number of fp32, of which two make an infinity. Whatever is 2^120 below
the rest has no share in a softmax, and numbers so made can be profiled and measured.
"""

from __future__ import annotations

from typing import Final

import numpy as np

LARGEST_MASK: Final = 2.0**120


def is_mask(array: np.ndarray) -> bool:
    """Whether floats hold numbers so large that they stand for infinities."""
    return array.dtype.kind == "f" and bool((np.abs(array) > LARGEST_MASK).any())


def finite_mask(array: np.ndarray) -> np.ndarray:
    """The floats, none of them beyond 2^120."""
    return np.clip(array, -LARGEST_MASK, LARGEST_MASK).astype(array.dtype)
