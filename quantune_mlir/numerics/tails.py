"""How far samples that were not calibrated with go beyond those that were, as far as the extremes of runs tell.

If the largest of n runs are of a Pareto tail, u is exceeded (u / t)^(-1/xi) times as often as the threshold t, which is
the (k + 1)-th largest of their maxima. Hill's estimate of the tail index xi is the mean of log(m / t) over the k larger
maxima m (B. M. Hill, A simple general approach to inference about the tail of a distribution, 1975). So N n further
runs reach N^xi times as far as these n did, and n further ones have (u / t)^(-1/xi) times as many elements beyond u as
there are beyond t. The standard error of the estimate is xi / sqrt(k).

Samples that are alike have an index of .1; pictures, sounds and what networks make of them mostly less than .25; a
loudness that is lognormal with a standard deviation of 4 dB .3, Student's t with three degrees of freedom .35.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.run_extremes import KEPT

HEAVY: Final = 0.25
"""Tail index from which on a tail is heavy."""
_SHARE: Final = 0.2
"""Of the runs, whose extremes are a tail."""
_LEAST: Final = 3
"""Runs whose extremes tell of a tail."""
_LARGEST_INDEX: Final = 0.5
"""From there on a tail has no variance, and a range that follows it costs quiet samples more than it saves."""
_BUCKETS: Final = 24


@dataclass(frozen=True)
class Buckets:
    """Elements by value.

    Attributes:
        lower: float64[k], lower bounds.
        upper: float64[k], upper bounds.
        counts: float64[k], of elements; expected ones need not be whole.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    counts: NDArray[np.float64]

    def merge(self, other: Buckets) -> Buckets:
        """Both, one after the other."""
        pairs = ((self.lower, other.lower), (self.upper, other.upper), (self.counts, other.counts))
        return Buckets(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Tail:
    """One end of a tensor's values, as magnitudes, if it is heavy.

    Attributes:
        index: xi.
        threshold: t.
        reached: the outermost value.
    """

    index: float
    threshold: float
    reached: float

    @staticmethod
    def of(outermost: NDArray[np.float32], runs: int, errors: float = 0.0) -> Tail | None:
        """The tail of the outermost extremes of so many runs, descending.

        None where it is light, ends at a bound, which two runs reach, or too few runs tell. The index is so many
        standard errors larger than estimated.
        """
        magnitudes = outermost[outermost > 0].astype(np.float64)
        k = min(round(_SHARE * runs), KEPT - 1)
        if not _LEAST <= k < len(magnitudes) or magnitudes[0] == magnitudes[1]:
            return None
        index = float(np.mean(np.log(magnitudes[:k] / magnitudes[k]))) * (1 + errors / math.sqrt(k))
        if index < HEAVY:
            return None
        return Tail(min(index, _LARGEST_INDEX), float(magnitudes[k]), float(magnitudes[0]))

    def reach(self, times: float) -> float:
        """How far `times` as many further runs go."""
        return self.reached * times**self.index


def tails(histogram: Histogram, errors: float = 0.0) -> tuple[Tail | None, Tail | None]:
    """The tail of the negative values, and that of the positive ones; see `Tail.of`."""
    extremes = histogram.extremes
    return Tail.of(-extremes.lowest, extremes.runs, errors), Tail.of(extremes.highest, extremes.runs, errors)


def beyond(histogram: Histogram, times: float, errors: float = 0.0) -> Buckets:
    """What as many further runs are expected to have beyond the extremes, as far as `times` as many reach.

    There are no buckets where no tail is heavy. For `errors` see `Tail.of`.
    """
    found = Buckets(*(np.zeros(0) for _ in range(3)))
    centers = histogram.centers
    for sign, tail in zip((-1, 1), tails(histogram, errors), strict=True):
        if tail is None:
            continue
        bounds = np.geomspace(tail.reached, tail.reach(times), _BUCKETS + 1)
        above = float(histogram.counts[sign * centers > tail.threshold].sum())
        counts = -above * np.diff((bounds / tail.threshold) ** (-1 / tail.index))
        lower, upper = (bounds[:-1], bounds[1:]) if sign > 0 else (-bounds[1:], -bounds[:-1])
        found = found.merge(Buckets(lower, upper, counts))
    return found


def clipped_share(histogram: Histogram, lo: float, hi: float, times: float, errors: float = 0.0) -> float:
    """The squared error that clipping to [lo, hi] makes of what is `beyond`, over the energy of what was counted."""
    unseen, seen = beyond(histogram, times, errors), float(histogram.counts @ histogram.centers**2)
    centers = (unseen.lower + unseen.upper) / 2
    clipped = float(unseen.counts @ (centers - np.clip(centers, lo, hi)) ** 2)
    return clipped / seen if seen else 0.0
