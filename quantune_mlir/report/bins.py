"""Histograms as a report shows them: few bins of one width."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.histogram import Histogram

BINS: Final = 64


def evenly_binned(histogram: Histogram, bins: int = BINS) -> tuple[float, float, list[int]]:
    """Lower end, upper end, and the counts between them in bins of one width; a bucket's values are spread over it.

    Counts are rounded up, so that no bin that holds anything looks empty.
    """
    low, high = min(histogram.minimum, 0.0), max(histogram.maximum, 0.0)
    if not low < high:
        return low, high, []
    edges = np.linspace(low, high, bins + 1)
    counts = histogram.counts.astype(np.float64)
    wide = histogram.upper > histogram.lower
    spread = np.diff(_below(edges, histogram.lower[wide], histogram.upper[wide], counts[wide]))
    places = np.clip(np.searchsorted(edges, histogram.centers[~wide], "right") - 1, 0, bins - 1)
    found = spread + np.bincount(places, counts[~wide], bins)
    return low, high, [int(count) for count in np.ceil(found - 1e-6)]


def _below(
    edges: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How many values lie below each edge, of disjoint buckets in ascending order."""
    points = np.column_stack([lower, upper]).ravel()
    total = np.cumsum(counts)
    values = np.column_stack([total - counts, total]).ravel()
    return np.interp(edges, points, values, left=0.0) if len(points) else np.zeros(len(edges))
