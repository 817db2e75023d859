"""The clipping range with the least Kullback-Leibler divergence (TensorRT's calibration, on the signed histogram).

The bit-pattern histogram is rebinned to 4,096 linear bins. For each candidate window of bins, P is the window with
everything outside added to its edge bins, Q the window reduced to 256 levels and spread back over its occupied bins;
the window with the least KL(P || Q) wins. Exact zeros are left out: every range represents them exactly, and the peak
that a ReLU leaves there would drown the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.schemes import Scheme, extent, is_symmetric

_BINS: Final = 4096
_LEVELS: Final = 256
_STRIDE: Final = 64
_FINE_STRIDE: Final = 8
_SMOOTHING: Final = 1e-4
"""Share of uniform noise mixed into Q, so that an occupied bin of P that is empty in Q costs much, not infinity."""


def entropy_range(histogram: Histogram, scheme: Scheme) -> tuple[float, float]:
    """(lo, hi) of least divergence.

    A symmetric scheme searches windows centred on zero. An asymmetric one keeps a side without values at zero; where
    there are values on both sides, both ends shrink in proportion first, then each moves alone.
    """
    lo, hi = extent(histogram.minimum, histogram.maximum)
    if is_symmetric(scheme, histogram.minimum):
        limit = max(-lo, hi)
        lo, hi = -limit, limit
    search = _Search(linear_bins(histogram, lo, hi, _BINS), zero=round(-lo / (hi - lo) * _BINS))
    best = search.least(search.proportional(range(_LEVELS, _BINS + 1, _STRIDE)))
    best = search.least(search.proportional(_around(best[1] - best[0], _LEVELS, _BINS)))
    if 0 < search.zero < _BINS and not is_symmetric(scheme, histogram.minimum):
        for end in (1, 0, 1, 0):
            best = search.least(search.moving(best, end, fine=False))
            best = search.least(search.moving(best, end, fine=True))
    width = (hi - lo) / _BINS
    return lo + best[0] * width, lo + best[1] * width


def linear_bins(histogram: Histogram, lo: float, hi: float, bins: int) -> NDArray[np.float64]:
    """float64[bins]: the elements other than zero, each bucket spread evenly over the bins of [lo, hi] it meets."""
    kept = (histogram.lower != 0) | (histogram.upper != 0)
    lower, upper, counts = histogram.lower[kept], histogram.upper[kept], histogram.counts[kept].astype(np.float64)
    width = (hi - lo) / bins
    upper = np.maximum(upper, lower + 1e-6 * width)
    knots = np.stack([lower, upper], axis=1).reshape(-1)
    below = np.stack([np.cumsum(counts) - counts, np.cumsum(counts)], axis=1).reshape(-1)
    edges = lo + width * np.arange(bins + 1)
    cumulative = np.interp(edges, np.maximum.accumulate(knots), below, left=0.0, right=below[-1])
    cumulative[-1] = below[-1]
    return np.diff(cumulative)


def _around(center: int, smallest: int, largest: int) -> range:
    return range(max(center - _STRIDE, smallest), min(center + _STRIDE, largest) + 1, _FINE_STRIDE)


class _Search:
    """Divergences of windows [start, stop) over linear bins; `zero` is the edge where the value 0 lies."""

    def __init__(self, bins: NDArray[np.float64], zero: int) -> None:
        self.bins = bins
        self.zero = zero
        self.below = np.append(0.0, np.cumsum(bins))

    def proportional(self, sizes: Iterable[int]) -> list[tuple[int, int]]:
        """Windows of the given numbers of bins that divide around zero as the whole does, the largest first."""
        windows: list[tuple[int, int]] = []
        for size in sorted(sizes, reverse=True):
            start = self.zero - round(size * self.zero / len(self.bins))
            windows.append((start, start + size))
        return windows

    def moving(self, window: tuple[int, int], end: int, *, fine: bool) -> list[tuple[int, int]]:
        """`window`, then those with its start (end 0) or stop (end 1) elsewhere on the same side of zero."""
        start, stop = window
        if end == 0:
            last = min(self.zero, stop - _LEVELS)
            starts = _around(start, 0, last) if fine else range(0, last + 1, _STRIDE)
            return [window, *((s, stop) for s in starts)]
        first = max(self.zero, start + _LEVELS)
        stops = _around(stop, first, len(self.bins)) if fine else range(len(self.bins), first - 1, -_STRIDE)
        return [window, *((start, s) for s in stops)]

    def least(self, windows: list[tuple[int, int]]) -> tuple[int, int]:
        """The window of least divergence, the first on a tie."""
        return min(windows, key=self.divergence)

    def divergence(self, window: tuple[int, int]) -> float:
        """KL(P || Q) of one window, in nats."""
        start, stop = window
        inside = self.bins[start:stop]
        mass = self.below[stop] - self.below[start]
        if mass <= 0:
            return np.inf
        clipped = inside.copy()
        clipped[0] += self.below[start]
        clipped[-1] += self.below[-1] - self.below[stop]
        occupied = inside > 0
        starts = -(-np.arange(_LEVELS) * len(inside) // _LEVELS)
        sums = np.add.reduceat(inside, starts)
        occupancy = np.add.reduceat(occupied.astype(np.float64), starts)
        level = sums / np.maximum(occupancy, 1.0)
        spread = np.repeat(level, np.diff(np.append(starts, len(inside)))) * occupied
        p = clipped / self.below[-1]
        q = (1 - _SMOOTHING) / mass * spread + _SMOOTHING / len(inside)
        positive = p > 0
        return float(np.sum(p[positive] * np.log(p[positive] / q[positive])))
