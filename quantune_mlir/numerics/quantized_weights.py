"""The integers of a product: constant weights, and a bias that makes up for their rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.formats import IntegerRange
from quantune_mlir.numerics.known_weights import integers_of
from quantune_mlir.numerics.parameters import (
    ACCUMULATOR_BITS,
    dequantized_blocks,
    fit_scales_to_bias,
    quantize_bias,
    weight_params,
)
from quantune_mlir.numerics.schemes import Scheme

Blocks = Iterable[tuple[slice, NDArray[np.float32]]]
"""Dequantized weights by parts along the first axis."""


@dataclass(frozen=True)
class QuantizedWeights:
    """The constants of a product in integers.

    Attributes:
        integers: weights, in the shape that they had; read-only.
        scales: of the weights, float32[output channels], or float32[1].
        bias: int32[output channels] (int64 for wider accumulators), with scale input scale * `scales`; None of a
            product without one.
        rest: float64[output channels], what the bias is more than that; None if it does not count.
    """

    integers: NDArray[np.int8 | np.int16]
    scales: NDArray[np.float32]
    bias: NDArray[np.int32 | np.int64] | None
    rest: NDArray[np.float64] | None = None


def halves(integers: NDArray[np.int16]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Upper and lower ones of weights of 16 bits: 256 times the first and the second are the weights."""
    upper = (integers.astype(np.int32) + 128) >> 8
    return upper.astype(np.int8), (integers - 256 * upper).astype(np.int8)


def quantize_product(
    weights: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    input_scale: float,
    scheme: Scheme,
    channel_axis: int | None,
    codes: IntegerRange,
    mean_error: Callable[[Blocks], NDArray[np.float64]] | None = None,
    bits: int = ACCUMULATOR_BITS,
) -> QuantizedWeights:
    """Symmetric integer weights and a bias.

    Args:
        weights: of any shape.
        bias: float32[output channels].
        input_scale: of the codes that the weights are multiplied by.
        scheme: of the scales.
        channel_axis: the weights' axis with a scale for each index; None: one scale.
        codes: of the weights.
        mean_error: what rounded weights add to each output channel on average, which is taken off the bias (Nagel et
            al., arXiv 1906.04721, 4.2); None: nothing is.
        bits: of the accumulators.

    Raises:
        DataError: a weight is NaN or Inf.
    """
    scales = weight_params(weights, channel_axis, scheme, codes)
    if bias is None:
        return QuantizedWeights(integers_of(weights, scales, channel_axis, codes), scales, None)
    scales = fit_scales_to_bias(scales, bias, input_scale, scheme, bits)
    integers = integers_of(weights, scales, channel_axis, codes)
    corrected = bias if mean_error is None else bias - mean_error(dequantized_blocks(integers, scales, channel_axis))
    return QuantizedWeights(integers, scales, quantize_bias(corrected, input_scale, scales, bits))
