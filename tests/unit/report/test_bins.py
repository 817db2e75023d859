"""Few bins of one width, from many of one relative width."""

from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.report.bins import evenly_binned

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("values", [RNG.standard_normal(10_000), RNG.random(10_000) * 6, -RNG.exponential(1, 10_000)])
def test_counts_are_those_of_the_values(values: np.ndarray) -> None:
    values = values.astype(np.float32)
    low, high, counts = evenly_binned(Histogram.of(values), bins=20)
    assert low == min(values.min(), 0) and high == max(values.max(), 0)
    expected, _ = np.histogram(values, 20, (low, high))
    assert np.abs(np.array(counts) - expected).max() <= 60, "a bucket at an edge is spread"
    assert sum(counts) == pytest.approx(10_000, abs=20)


def test_zeros_are_in_one_bin() -> None:
    values = np.concatenate([np.zeros(900), np.linspace(1, 2, 100)]).astype(np.float32)
    low, high, counts = evenly_binned(Histogram.of(values), bins=10)
    assert (low, high) == (0.0, 2.0) and counts[0] == 900 and counts[1:5] == [0] * 4


def test_a_constant_has_no_bins() -> None:
    assert evenly_binned(Histogram.of(np.zeros(10, np.float32))) == (0.0, 0.0, [])
