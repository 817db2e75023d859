"""What integer accumulators stand for, and what brings them to the codes of a result.

An i32 accumulator stands for acc * scale; with codes q worth s * (q - z), the result of scale s and zero point z is
q = acc * (scale / s) + z, rounded and saturated.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantune_mlir.numerics.parameters import QuantParams

_SUM_BITS: Final = 28
INT32_MAX: Final = 2**31 - 1
_BELOW_HALF: Final = 0.499


def dot_scale(input_scale: float, weight_scales: NDArray[np.float32]) -> NDArray[np.float64]:
    """The scale of sums of products of input and weight codes, float64[output channels] or float64[1]."""
    return input_scale * weight_scales.astype(np.float64)


def product_scale(left: QuantParams, right: QuantParams) -> float:
    """The scale of the product of two centred codes."""
    return left.scale * right.scale


def common_scale(left: QuantParams, right: QuantParams) -> float:
    """The scale of a sum whose terms are brought to one scale first, 2 * max(s_a, s_b) / 2^20, of int16 2^12.

    Rounding the terms to it costs far less than rounding the result, and their sum stays below 2^28.
    """
    return 2 * max(left.scale, right.scale) / 2.0 ** (_SUM_BITS - left.codes.bits)


def excess_bits(largest: int) -> int:
    """By how many bits to the right numbers up to `largest` have to be shifted to be int32."""
    return max(0, largest.bit_length() - 31)


def ratio(scale: ArrayLike, result: float) -> NDArray[np.float64]:
    """What brings numbers worth `scale` each, one or one for each channel, to the scale of a result."""
    return np.asarray(scale, np.float64) / result


def codes_of_bounds(bounds: ArrayLike, params: QuantParams) -> NDArray[np.int64]:
    """The codes of real bounds, infinite ones too: rounded half to even, saturated."""
    scaled = np.asarray(bounds, np.float64) / params.scale + params.zero_point
    return np.rint(np.clip(scaled, params.qmin, params.qmax)).astype(np.int64)


def largest_accumulators(
    bounds: NDArray[np.int64], ratios: NDArray[np.float64], params: QuantParams
) -> NDArray[np.int32]:
    """The largest accumulator of each channel that `ratios` bring to no more than a bound, a code of `params`."""
    return np.floor((bounds - params.zero_point + _BELOW_HALF) / ratios).clip(max=INT32_MAX).astype(np.int32)


def reach(params: QuantParams) -> int:
    """The largest |q - z| of a tensor's codes."""
    return max(params.qmax - params.zero_point, params.zero_point - params.qmin)


def largest_sum(
    integers: NDArray[np.int8 | np.int16], bias: NDArray[np.int32 | np.int64] | None, axis: int, reach: int
) -> int:
    """A bound of |bias + sum of x * w| over each output channel and any part of the sum, whatever the x up to `reach`.

    Args:
        integers: weights, with output channels along `axis`.
        bias: integers[output channels]; None: there is none.
        axis: of the output channels.
        reach: the largest |x|.
    """
    constant = int(np.abs(bias.astype(np.int64)).max(initial=0)) if bias is not None else 0
    terms = integers.size // max(1, integers.shape[axis])
    quick = constant + terms * -int(np.iinfo(integers.dtype).min) * reach
    if quick <= INT32_MAX:
        return quick
    others = tuple(i for i in range(integers.ndim) if i != axis % integers.ndim)
    sums = np.abs(integers.astype(np.int32)).sum(axis=others, dtype=np.int64) * reach
    return int((sums if bias is None else sums + np.abs(bias.astype(np.int64))).max(initial=0))
