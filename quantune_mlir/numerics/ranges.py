"""The real range that int8 shall cover, chosen from a tensor's histogram."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError
from quantune_mlir.numerics.entropy_range import entropy_range
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.mse_range import mse_range
from quantune_mlir.numerics.schemes import DEFAULT_SCHEME, RangeMethod, Scheme, extent, is_symmetric

DEFAULT_PERCENTILE: Final = 99.99


def choose_range(
    histogram: Histogram,
    method: RangeMethod,
    *,
    scheme: Scheme = DEFAULT_SCHEME,
    percentile: float = DEFAULT_PERCENTILE,
) -> tuple[float, float]:
    """(lo, hi) with lo <= 0 <= hi, both float32 values within [min(minimum, 0), max(maximum, 0)].

    - minmax: the exact extremes.
    - percentile: cuts (100 - percentile) / 2 percent of the elements at either end; in a symmetric scheme,
      (100 - percentile) percent of the largest magnitudes.
    - entropy: the clipping with the least Kullback-Leibler divergence between the values and their int8 image.
    - mse: the clipping with the least expected squared error under `scheme`; of clipped values it counts CLIPPED times.

    A tensor of zeros has the range (0, 0).

    Raises:
        DataError: the histogram is empty, or holds NaN or Inf.
    """
    if histogram.nonfinite or not histogram.count:
        found = "is empty" if not histogram.count else f"holds {histogram.nonfinite} NaN or Inf"
        raise DataError(f"no range can be chosen: the histogram {found}")
    histogram = histogram.with_extremes()
    lo, hi = extent(histogram.minimum, histogram.maximum)
    if lo == hi == 0:
        return 0.0, 0.0
    match method:
        case RangeMethod.MINMAX:
            chosen = lo, hi
        case RangeMethod.PERCENTILE:
            chosen = _percentile_range(histogram, scheme, percentile)
        case RangeMethod.ENTROPY:
            chosen = entropy_range(histogram, scheme)
        case RangeMethod.MSE:
            return _as_float32(*mse_range(histogram, scheme))
    return _as_float32(max(lo, min(chosen[0], 0.0)), min(hi, max(chosen[1], 0.0)))


def _as_float32(lo: float, hi: float) -> tuple[float, float]:
    return float(np.float32(lo)), float(np.float32(hi))


def _percentile_range(histogram: Histogram, scheme: Scheme, percentile: float) -> tuple[float, float]:
    if not 0 < percentile <= 100:
        raise DataError(f"percentile must be in (0, 100], not {percentile}")
    lower, upper, counts = histogram.lower, histogram.upper, histogram.counts.astype(np.float64)
    if is_symmetric(scheme, histogram.minimum):
        negative = upper <= 0
        near = np.where(negative, -upper, lower)
        far = np.where(negative, -lower, upper)
        order = np.argsort(near, kind="stable")
        limit = _quantile(near[order], far[order], counts[order], percentile / 100)
        return -limit, limit
    tail = (100 - percentile) / 200
    return _quantile(lower, upper, counts, tail), _quantile(lower, upper, counts, 1 - tail)


def _quantile(
    lower: NDArray[np.float64], upper: NDArray[np.float64], counts: NDArray[np.float64], fraction: float
) -> float:
    """The value below which `fraction` of the elements lie, interpolated within its bucket."""
    below = np.cumsum(counts)
    rank = fraction * below[-1]
    bucket = min(int(np.searchsorted(below, rank)), len(below) - 1)
    inside = (rank - (below[bucket] - counts[bucket])) / counts[bucket]
    return float(lower[bucket] + min(max(inside, 0.0), 1.0) * (upper[bucket] - lower[bucket]))
