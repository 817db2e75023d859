"""Integers of weights that are asked for again: all programs of one quantization have the same."""

from __future__ import annotations

from collections.abc import Generator, Hashable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.formats import IntegerRange
from quantune_mlir.numerics.parameters import quantize_weights

_Known = dict[Hashable, tuple[NDArray[np.float32] | None, NDArray[np.int8 | np.int16]]]
"""By what they are made of, the integers; and the weights, if they are told by where they lie."""

_KNOWN: Final = ContextVar[_Known | None]("known weights", default=None)
_SMALL: Final = 1 << 14
"""Bytes. Smaller weights are told by their values: MLIR's contexts share the memory of larger ones only."""


@contextmanager
def weights_quantized_once() -> Generator[None]:
    """Inside, `integers_of` keeps what it finds, a byte for each weight and format."""
    token = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(token)


def integers_of(
    weights: NDArray[np.float32], scales: NDArray[np.float32], channel_axis: int | None, codes: IntegerRange
) -> NDArray[np.int8 | np.int16]:
    """What `quantize_weights` makes of weights that nobody writes to; read-only."""
    known = _KNOWN.get()
    if known is None or 0 in weights.strides:
        return quantize_weights(weights, scales, channel_axis, codes)
    is_small = weights.nbytes < _SMALL
    told_by = weights.tobytes() if is_small else weights.ctypes.data
    key = told_by, weights.shape, weights.strides, scales.tobytes(), channel_axis, codes
    if key not in known:
        found = quantize_weights(weights, scales, channel_axis, codes)
        found.flags.writeable = False
        known[key] = None if is_small else weights, found
    return known[key][1]
