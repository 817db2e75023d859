"""Scales and zero points, and the quantization that they define.

Rounding is half to even everywhere. Scales are float32 values held as Python floats, so that every consumer, in any
precision, sees the same number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantune_mlir.errors import DataError
from quantune_mlir.numerics.formats import INT8_ACTIVATIONS, INT8_WEIGHTS, IntegerRange
from quantune_mlir.numerics.schemes import Scheme

QMIN: Final = INT8_ACTIVATIONS.minimum
QMAX: Final = INT8_ACTIVATIONS.maximum
SMALLEST_SCALE: Final = 2.0**-126
"""Smallest normal float32: below it, devices may flush a scale to zero."""
ACCUMULATOR_BITS: Final = 32
"""Of the sums of products of int8."""
_BLOCK: Final = 2**20


@dataclass(frozen=True)
class QuantParams:
    """Parameters of one tensor of integers: real = scale * (q - zero_point), q one of `codes`."""

    scale: float
    zero_point: int = 0
    codes: IntegerRange = INT8_ACTIVATIONS

    def __post_init__(self) -> None:
        if not (self.scale > 0 and np.isfinite(self.scale)) or float(np.float32(self.scale)) != self.scale:
            raise ValueError(f"scale must be a positive finite float32, not {self.scale!r}")
        if not self.qmin <= self.zero_point <= self.qmax:
            raise ValueError(f"zero point {self.zero_point} is outside [{self.qmin}, {self.qmax}]")
        if self.zero_point and self.codes.bits > INT8_ACTIVATIONS.bits:
            raise ValueError(f"codes of {self.codes.bits} bits are symmetric: the zero point is 0")

    @property
    def qmin(self) -> int:
        """The smallest code."""
        return self.codes.minimum

    @property
    def qmax(self) -> int:
        """The largest code."""
        return self.codes.maximum

    @property
    def dtype(self) -> type[np.int8 | np.int16]:
        """What codes are stored as."""
        return np.int8 if self.codes.bits <= INT8_ACTIVATIONS.bits else np.int16

    @property
    def inverse_scale(self) -> float:
        """float32 of 1 / scale: what quantization multiplies by."""
        return float(np.float32(1.0 / self.scale))

    @property
    def lo(self) -> float:
        """The smallest real value represented."""
        return self.scale * (self.qmin - self.zero_point)

    @property
    def hi(self) -> float:
        """The largest real value represented."""
        return self.scale * (self.qmax - self.zero_point)


def activation_params(lo: float, hi: float, scheme: Scheme, codes: IntegerRange = INT8_ACTIVATIONS) -> QuantParams:
    """Parameters for an activation within [lo, hi], a range that contains 0; int8 in [-128, 127].

    - asymmetric: scale = (hi - lo) / 255, zero point = -128 - lo / scale rounded to an integer (the range is nudged by
      up to half a step, so that 0 is exact).
    - symmetric: scale = max(hi / 127, -lo / 128).
    - symmetric_with_uint8: as asymmetric with zero point -128 if lo is 0, else symmetric.
    - symmetric_with_power2_scale: the symmetric scale rounded up to a power of two.

    A constant-zero tensor, lo = hi = 0, gets scale 1. Wider codes than int8 are symmetric under any scheme.
    """
    if codes.bits > INT8_ACTIVATIONS.bits:
        step = np.array([max(hi / codes.maximum, lo / codes.minimum)])
        if scheme is Scheme.SYMMETRIC_WITH_POWER2_SCALE:
            step = _next_power_of_two(step)
        return QuantParams(float(_float32_scale(step)[0]), 0, codes)
    scale, zero_point = scales_and_zero_points(np.float64(lo), np.float64(hi), scheme)
    return QuantParams(float(scale), int(zero_point))


def params_of_constant(array: ArrayLike, scheme: Scheme, codes: IntegerRange = INT8_ACTIVATIONS) -> QuantParams:
    """Parameters for a constant that an activation is added to or multiplied by."""
    values = np.asarray(array)
    return activation_params(min(float(values.min()), 0.0), max(float(values.max()), 0.0), scheme, codes)


def scales_and_zero_points(
    lo: ArrayLike, hi: ArrayLike, scheme: Scheme
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`activation_params` for arrays of ranges: scales (exactly float32) and integral zero points, as float64."""
    lo, hi = np.asarray(lo, np.float64), np.asarray(hi, np.float64)
    if not (np.all(lo <= 0) and np.all(hi >= 0) and np.all(np.isfinite(hi - lo))):
        raise ValueError("a quantization range must be finite and contain 0")
    symmetric = np.maximum(hi / QMAX, lo / QMIN)
    asymmetric = (hi - lo) / (QMAX - QMIN)
    match scheme:
        case Scheme.ASYMMETRIC:
            scale = _float32_scale(asymmetric)
            return scale, np.clip(np.rint(QMIN - lo / scale), QMIN, QMAX)
        case Scheme.SYMMETRIC:
            scale = _float32_scale(symmetric)
            return scale, np.zeros_like(scale)
        case Scheme.SYMMETRIC_WITH_UINT8:
            scale = _float32_scale(np.where(lo >= 0, asymmetric, symmetric))
            return scale, np.where(lo >= 0, float(QMIN), 0.0)
        case Scheme.SYMMETRIC_WITH_POWER2_SCALE:
            scale = _float32_scale(_next_power_of_two(symmetric))
            return scale, np.zeros_like(scale)


def weight_params(
    weights: NDArray[np.float32], channel_axis: int | None, scheme: Scheme, codes: IntegerRange = INT8_WEIGHTS
) -> NDArray[np.float32]:
    """Symmetric scales of weights in `codes`: float32[channels], or float32[1] if `channel_axis` is None.

    The schemes with a zero point apply to activations only; SYMMETRIC_WITH_POWER2_SCALE gives powers of two here too.
    A channel of zeros takes the largest scale of the tensor (1 if all weights are zero), so that its bias, whose scale
    is the product with the input's, stays representable.

    Raises:
        DataError: a weight is NaN or Inf.
    """
    weights = np.asarray(weights, np.float32)
    axes = None if channel_axis is None else tuple(i for i in range(weights.ndim) if i != channel_axis % weights.ndim)
    amax = np.maximum(weights.max(axis=axes, initial=0.0), -weights.min(axis=axes, initial=0.0))
    amax = amax.reshape(-1).astype(np.float64)
    if not np.isfinite(amax).all():
        raise DataError("the weights hold NaN or Inf", remedy="re-export or retrain the model")
    scales = amax / codes.maximum
    largest = scales.max(initial=0.0)
    scales = np.where(amax > 0, scales, largest if largest > 0 else 1.0)
    if scheme is Scheme.SYMMETRIC_WITH_POWER2_SCALE:
        scales = _next_power_of_two(scales)
    return _float32_scale(scales).astype(np.float32)


def fit_scales_to_bias(
    scales: NDArray[np.float32],
    bias: NDArray[np.float32],
    input_scale: float,
    scheme: Scheme,
    bits: int = ACCUMULATOR_BITS,
) -> NDArray[np.float32]:
    """Raise the scales of those channels whose bias, at input_scale * scale, would exceed half the accumulators' bits.

    The other half is left to the products: of int32, 2^30 each.

    Such channels have weights millions of times smaller than their bias (dead channels after batch-norm folding), so
    coarser weights cost nothing there. `scales` may be float32[1] for a whole tensor.
    """
    needed = np.abs(np.asarray(bias, np.float64)) / (largest_bias(bits) * input_scale)
    if len(scales) == 1:
        needed = needed.max(initial=0.0, keepdims=True)
    if scheme is Scheme.SYMMETRIC_WITH_POWER2_SCALE:
        needed = np.where(needed > 0, _next_power_of_two(np.maximum(needed, SMALLEST_SCALE)), 0.0)
    raised = needed.astype(np.float32)
    raised = np.where(raised < needed, np.nextafter(raised, np.float32(np.inf)), raised)
    return np.maximum(scales, raised).astype(np.float32)


def largest_bias(bits: int) -> float:
    """Limit of a quantized bias: leaves the other half of an accumulator of so many bits to the products."""
    return 2.0 ** (bits - 2)


def quantize_bias(
    bias: ArrayLike, input_scale: float, scales: NDArray[np.float32], bits: int = ACCUMULATOR_BITS
) -> NDArray[np.int32 | np.int64]:
    """Bias of so many bits with scale input_scale * scales and zero point 0, saturated; int64 for more than 32."""
    quantized = np.rint(np.asarray(bias, np.float64) / (input_scale * scales.astype(np.float64)))
    most = 2 ** (bits - 1)
    return np.clip(quantized, -most, most - 1).astype(np.int32 if bits <= ACCUMULATOR_BITS else np.int64)


def quantize(values: ArrayLike, params: QuantParams) -> NDArray[np.int8 | np.int16]:
    """saturate(round_half_even(values * (1 / scale) + zero_point)), each step in float32, as a device computes it."""
    scaled = np.asarray(values, np.float32) * np.float32(params.inverse_scale) + np.float32(params.zero_point)
    return np.clip(np.rint(scaled), params.qmin, params.qmax).astype(params.dtype)


def dequantize(quantized: NDArray[np.int8 | np.int16], params: QuantParams) -> NDArray[np.float32]:
    """scale * (quantized - zero_point) in float32."""
    return (quantized.astype(np.int32) - params.zero_point).astype(np.float32) * np.float32(params.scale)


def quantize_weights(
    weights: NDArray[np.float32],
    scales: NDArray[np.float32],
    channel_axis: int | None,
    codes: IntegerRange = INT8_WEIGHTS,
) -> NDArray[np.int8 | np.int16]:
    """Weights in `codes`: round_half_even(weights / scale), saturated; scales as from `weight_params`."""
    quantized = np.empty(weights.shape, np.int8 if codes.bits <= INT8_WEIGHTS.bits else np.int16)
    for part, scale in _blocks(weights, scales, channel_axis):
        quotient = np.divide(weights[part], scale, dtype=np.float64)
        np.rint(quotient, out=quotient)
        quantized[part] = np.clip(quotient, codes.minimum, codes.maximum, out=quotient)
    return quantized


def dequantized_blocks(
    quantized: NDArray[np.int8 | np.int16], scales: NDArray[np.float32], channel_axis: int | None
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """scale * quantized in float32, by parts along the first axis: all at once can take much more memory."""
    for part, scale in _blocks(quantized, scales, channel_axis):
        yield part, quantized[part].astype(np.float32) * scale


def _blocks(
    weights: NDArray[np.generic], scales: NDArray[np.float32], channel_axis: int | None
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Parts along the first axis, of about _BLOCK elements each, with the scales that broadcast to them."""
    along = _along(scales, weights.ndim, channel_axis)
    rows = max(1, _BLOCK // max(1, weights[:1].size))
    for first in range(0, len(weights), rows):
        part = slice(first, first + rows)
        yield part, along[part] if len(along) > 1 else along


def _along(scales: NDArray[np.float32], rank: int, channel_axis: int | None) -> NDArray[np.float32]:
    shape = [1] * rank
    if channel_axis is not None:
        shape[channel_axis] = -1
    return scales.reshape(shape)


def _float32_scale(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest float32, at least the smallest normal one; 1 where the scale is 0."""
    floored = np.maximum(np.where(scale > 0, scale, 1.0), SMALLEST_SCALE)
    return floored.astype(np.float32).astype(np.float64)


def _next_power_of_two(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """2 ** ceil(log2(scale)), exactly; 0 stays 0."""
    mantissa, exponent = np.frexp(scale)
    exponent = np.where(mantissa == 0.5, exponent - 1, exponent)
    return np.where(scale > 0, np.ldexp(1.0, exponent), 0.0)
