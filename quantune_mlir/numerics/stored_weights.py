"""The integers of a product whose weights were stored in int8 by others: they are what they were."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.parameters import QMAX, QMIN, quantize_bias
from quantune_mlir.numerics.quantized_weights import QuantizedWeights

_NEARLY_INTEGER: Final = 1e-3
_FP32_ERROR: Final = 2.0**-23
"""What an int32 bias may have lost where it became fp32."""


def stored_integers(
    weights: NDArray[np.float32], scales: NDArray[np.float32], channel_axis: int
) -> NDArray[np.int8] | None:
    """What `weights` were before they were multiplied by `scales`, one or one for each index of an axis.

    None if they are no integers of int8 then.
    """
    if scales.size not in (1, weights.shape[channel_axis]) or not (scales > 0).all():
        return None
    along = [-1 if axis == channel_axis else 1 for axis in range(weights.ndim)]
    quotients = weights / scales.astype(np.float64).reshape(along)
    integers = np.rint(quotients)
    if np.abs(quotients - integers).max(initial=0) > _NEARLY_INTEGER:
        return None
    return integers.astype(np.int8) if integers.min() >= QMIN and integers.max() <= QMAX else None


def stored_product(
    weights: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    input_scale: float,
    scales: NDArray[np.float32],
    channel_axis: int,
) -> QuantizedWeights:
    """The constants of a product whose weights have `stored_integers`; what int32 lacks of its bias is the rest."""
    integers = stored_integers(weights, scales, channel_axis)
    assert integers is not None
    if bias is None:
        return QuantizedWeights(integers, scales, None)
    quantized, step = quantize_bias(bias, input_scale, scales), stored_dot_scale(input_scale, scales)
    rest = bias - quantized * step
    counts = bool((np.abs(rest) > _NEARLY_INTEGER * step + _FP32_ERROR * np.abs(bias)).any())
    return QuantizedWeights(integers, scales, quantized, rest if counts else None)


def stored_dot_scale(input_scale: float, scales: NDArray[np.float32]) -> NDArray[np.float64]:
    """What an accumulator stands for, rounded to fp32 as other engines do."""
    return (np.float32(input_scale) * scales).astype(np.float64)
