"""How much a model's constants may grow, and how much work they may be, while it is imported.

A few nodes can ask for terabytes: a Concat of a tensor with itself, thirty times over. What they ask for is told from
shapes, before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

import numpy as np

from quantune_mlir.importers.common.errors import Unsupported

_TIMES: Final = 4
_BYTES: Final = 256 << 20
_WORK: Final = 1 << 31
_WORK_PER_BYTE: Final = 16
"""Elements: some ten seconds in all for a small model."""


class Growth:
    """What is left of the budget of one model.

    Args:
        stored: bytes that the model's files have.
    """

    def __init__(self, stored: int) -> None:
        self._limit = self._left = _TIMES * stored + _BYTES
        self._work = _WORK + _WORK_PER_BYTE * stored

    def take(self, shape: Sequence[int], dtype: np.dtype | type) -> None:
        """Account for a new constant. Raises Unsupported if there is no room for it."""
        size = prod(int(s) for s in shape) * np.dtype(dtype).itemsize
        if size > self._left:
            raise Unsupported(
                f"a constant of {size} bytes: a model's constants may grow to {self._limit} bytes in all, "
                f"{_TIMES} times its files and {_BYTES >> 20} MiB"
            )
        self._left -= size

    def work(self, elements: int) -> None:
        """Account for computing so many elements. Raises Unsupported if it would take too long."""
        if elements > self._work:
            raise Unsupported("its constant inputs take too long to evaluate; fold them in the model")
        self._work -= elements
