"""What a tensor holds channel by channel: exact mean and extremes, in a form that merges exactly.

A sum of float32 values is kept as integers: the value m * 2^(e - 149), |m| < 2^24, 0 <= e < 254, adds m * 2^(e mod 16)
to the bin e // 16 of its channel. A bin of 64 bits holds 2^23 such values, of which an inference adds at most 63
(kernels/texts/observe_channels.mlir), and since integers add exactly, the bins are
the same however the values were split and ordered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

BINS: Final = 16
_BIN_BITS: Final = 16
_SMALLEST_EXPONENT: Final = -149
_EXPONENT_MASK: Final = np.uint32(0xFF)
_MANTISSA_BITS: Final = 23
_MOST: Final = 1 << 53


@dataclass(frozen=True, eq=False)
class ChannelStatistics:
    """Statistics of each channel of a tensor, channels innermost.

    Attributes:
        count: elements of each channel seen.
        bins: int64[channels, BINS], the exact sums.
        minimum: float32[channels].
        maximum: float32[channels].
    """

    count: int
    bins: NDArray[np.int64]
    minimum: NDArray[np.float32]
    maximum: NDArray[np.float32]

    def check(self) -> None:
        """Raise ValueError if no elements can have given this."""
        if self.bins.ndim != 2 or self.bins.shape[1] != BINS or not 0 <= self.count < _MOST:
            raise ValueError(f"channel sums of shape {list(self.bins.shape)} of {self.count} elements")
        if not (np.isfinite(self.minimum) & np.isfinite(self.maximum) & (self.minimum <= self.maximum)).all():
            raise ValueError("the extremes of a channel are not in order, or not finite")

    def merge(self, other: ChannelStatistics) -> ChannelStatistics:
        """The statistics of both sets of samples: exact, associative and commutative."""
        return ChannelStatistics(
            self.count + other.count,
            self.bins + other.bins,
            np.minimum(self.minimum, other.minimum),
            np.maximum(self.maximum, other.maximum),
        )

    @property
    def mean(self) -> NDArray[np.float64]:
        """float64[channels]; 0 if nothing was seen."""
        weights = np.ldexp(1.0, _SMALLEST_EXPONENT + _BIN_BITS * np.arange(BINS))
        return (self.bins * weights)[:, ::-1].sum(axis=1) / max(self.count, 1)

    @property
    def root_mean_square(self) -> NDArray[np.float64]:
        """float64[channels], estimated: of normal values with this mean and these extremes.

        The largest of n is expected at the (n - 3/8) / (n + 1/4) quantile (Blom, 1958).
        """
        widest = NormalDist().inv_cdf((self.count - 3 / 8) / (self.count + 1 / 4)) if self.count > 1 else math.inf
        low, high = self.minimum.astype(np.float64), self.maximum.astype(np.float64)
        return np.minimum(np.hypot(self.mean, (high - low) / 2 / widest), np.maximum(np.abs(low), np.abs(high)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChannelStatistics):
            return NotImplemented
        mine, theirs = ((s.bins, s.minimum, s.maximum) for s in (self, other))
        return self.count == other.count and all(map(np.array_equal, mine, theirs))

    __hash__ = None  # type: ignore[assignment]


def exact_bins(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """int64[n, BINS] of n finite float32 values."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    exponent = ((bits >> np.uint32(_MANTISSA_BITS)) & _EXPONENT_MASK).astype(np.int64)
    mantissa = (bits & np.uint32((1 << _MANTISSA_BITS) - 1)).astype(np.int64)
    mantissa += (exponent > 0).astype(np.int64) << _MANTISSA_BITS
    exponent = np.maximum(exponent - 1, 0)
    mantissa = np.where(bits >> np.uint32(31), -mantissa, mantissa)
    bins = np.zeros((len(bits), BINS), np.int64)
    bins[np.arange(len(bits)), exponent // _BIN_BITS] = mantissa << (exponent % _BIN_BITS)
    return bins
