"""From int32 accumulators to int8: TOSA RESCALE in integers, or one float32 multiplication.

Integer mode follows the TOSA 1.0 specification: apply_scale_32 and operator RESCALE with scale32 = true.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantune_mlir.errors import QuantuneError
from quantune_mlir.numerics.parameters import QMAX, QMIN

MIN_SHIFT: Final = 2
MAX_SHIFT: Final = 62


def multiplier_and_shift(scale: float) -> tuple[int, int]:
    """The 32-bit multiplier in [2^30, 2^31) and the shift in [2, 62] with scale = multiplier / 2^shift.

    The relative error is at most 2^-31 for scales in [2^-32, 2^29). Below that the shift stays 62 and the multiplier
    loses bits, down to 0: such scales turn every int32 into 0 anyway.

    Raises:
        QuantuneError: the scale is not positive and finite, or does not lie below 2^29.
    """
    if not (scale > 0 and math.isfinite(scale)):
        raise QuantuneError(f"a rescale factor must be positive and finite, not {scale!r}")
    mantissa, exponent = math.frexp(scale)
    multiplier = round(mantissa * 2**31)
    if multiplier == 2**31:
        multiplier, exponent = 2**30, exponent + 1
    shift = 31 - exponent
    if shift < MIN_SHIFT:
        raise QuantuneError(
            f"rescale factor {scale!r} is not below 2^29, the limit of an integer rescale",
            remedy="use float requantization, or keep the layer in fp32",
        )
    if shift > MAX_SHIFT:
        multiplier, shift = round(math.ldexp(multiplier, MAX_SHIFT - shift)), MAX_SHIFT
    return multiplier, shift


def multipliers_and_shifts(scales: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """`multiplier_and_shift` of each scale (one per channel): int32[n] and int8[n]."""
    pairs = [multiplier_and_shift(float(scale)) for scale in np.asarray(scales, np.float64).reshape(-1)]
    return np.array([m for m, _ in pairs], np.int32), np.array([s for _, s in pairs], np.int8)


def apply_scale_32(
    values: ArrayLike, multiplier: ArrayLike, shift: ArrayLike, *, double_round: bool = False
) -> NDArray[np.int64]:
    """TOSA apply_scale_32: (value * multiplier + round) >> shift, round = 2^(shift-1), broadcasting.

    With `double_round`, shifts above 31 add 2^30 to the rounding term for values >= 0 and subtract it for others.
    The specification requires values in [-2^(shift-1), 2^(shift-1)).
    """
    value, factor, places = np.broadcast_arrays(
        np.asarray(values, np.int64), np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    )
    rounding = np.left_shift(np.int64(1), places - 1)
    if double_round:
        rounding = rounding + np.where(places > 31, np.where(value >= 0, 1 << 30, -(1 << 30)), 0)
    return np.right_shift(value * factor + rounding, places)


def rescale(
    accumulators: ArrayLike,
    multiplier: ArrayLike,
    shift: ArrayLike,
    *,
    input_zp: int = 0,
    output_zp: int = 0,
    lo: int = QMIN,
    hi: int = QMAX,
    double_round: bool = False,
) -> NDArray[np.int32]:
    """TOSA RESCALE, bit for bit: clip(apply_scale_32(acc - input_zp) + output_zp, lo, hi).

    Per-channel multipliers and shifts broadcast along the last axis. `lo` and `hi` may be tighter than int8: a fused
    activation.
    """
    centered = np.asarray(accumulators, np.int64) - input_zp
    scaled = apply_scale_32(centered, multiplier, shift, double_round=double_round)
    return np.clip(scaled + output_zp, lo, hi).astype(np.int32)


def requantize_float(
    accumulators: ArrayLike, scale: ArrayLike, zero_point: int = 0, *, lo: int = QMIN, hi: int = QMAX
) -> NDArray[np.int8]:
    """saturate(round_half_even(float32(acc) * float32(scale) + zero_point)), each step in float32.

    A per-channel `scale` broadcasts along the last axis.
    """
    products = np.asarray(accumulators, np.int32).astype(np.float32) * np.asarray(scale, np.float32)
    return np.clip(np.rint(products + np.float32(zero_point)), lo, hi).astype(np.int8)
