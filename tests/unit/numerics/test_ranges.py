from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quantune_mlir.errors import DataError
from quantune_mlir.numerics.entropy_range import _Search, entropy_range, linear_bins
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.mse_range import CLIPPED
from quantune_mlir.numerics.parameters import activation_params, dequantize, quantize
from quantune_mlir.numerics.ranges import choose_range
from quantune_mlir.numerics.schemes import RangeMethod, Scheme

RNG = np.random.default_rng(7)
NORMAL = RNG.normal(size=200_000)
TENSORS = {
    "normal": NORMAL,
    "relu": np.maximum(NORMAL, 0),
    "relu6": np.clip(4 * NORMAL, 0, 6),
    "heavy tails": RNG.standard_t(3, size=200_000),
    "swish": 3 * NORMAL / (1 + np.exp(-3 * NORMAL)),
    "outlier": np.append(NORMAL, 60.0),
    "negative": -np.maximum(NORMAL, 0),
}
TENSORS = {name: x.astype(np.float32) for name, x in TENSORS.items()}
tensors = pytest.mark.parametrize("x", TENSORS.values(), ids=TENSORS.keys())
schemes = pytest.mark.parametrize("scheme", Scheme)


def error_of(x: np.ndarray, lo: float, hi: float, scheme: Scheme) -> float:
    """The mean squared error, that of clipped values counted CLIPPED times."""
    params = activation_params(lo, hi, scheme)
    error = dequantize(quantize(x, params), params).astype(np.float64) - x
    clipped = np.abs(error) > 0.5001 * float(params.scale)
    return float(np.mean(np.where(clipped, CLIPPED, 1.0) * error**2))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    st.sampled_from(RangeMethod),
    st.sampled_from(Scheme),
)
def test_a_range_is_within_the_extremes_and_contains_zero(x: np.ndarray, method: RangeMethod, scheme: Scheme) -> None:
    lo, hi = choose_range(Histogram.of(x), method, scheme=scheme)
    assert min(x.min(), 0) <= lo <= 0 <= hi <= max(x.max(), 0)
    assert (float(np.float32(lo)), float(np.float32(hi))) == (lo, hi)
    activation_params(lo, hi, scheme)


@pytest.mark.parametrize("method", RangeMethod)
def test_zeros_have_a_degenerate_range_that_quantizes_exactly(method: RangeMethod) -> None:
    zeros = np.zeros(10, np.float32)
    for scheme in Scheme:
        assert choose_range(Histogram.of(zeros), method, scheme=scheme) == (0.0, 0.0)
        assert error_of(zeros, 0.0, 0.0, scheme) == 0


@tensors
def test_minmax_is_exact(x: np.ndarray) -> None:
    assert choose_range(Histogram.of(x), RangeMethod.MINMAX) == (min(x.min(), 0), max(x.max(), 0))


@tensors
@pytest.mark.parametrize("percentile", [99.0, 99.9, 99.99])
def test_percentile_agrees_with_the_sorted_values(x: np.ndarray, percentile: float) -> None:
    histogram = Histogram.of(x)
    tail = (100 - percentile) / 2
    expected = np.percentile(x, [tail, 100 - tail])
    found = choose_range(histogram, RangeMethod.PERCENTILE, percentile=percentile)
    np.testing.assert_allclose(found, [min(expected[0], 0), max(expected[1], 0)], rtol=0.012)
    limit = np.percentile(np.abs(x), percentile)
    found = choose_range(histogram, RangeMethod.PERCENTILE, scheme=Scheme.SYMMETRIC, percentile=percentile)
    np.testing.assert_allclose(max(-found[0], found[1]), limit, rtol=0.012)


def test_percentile_100_is_minmax() -> None:
    histogram = Histogram.of(TENSORS["normal"])
    assert choose_range(histogram, RangeMethod.PERCENTILE, percentile=100) == (histogram.minimum, histogram.maximum)


@tensors
@schemes
def test_mse_is_close_to_the_best_clipping_of_the_values_themselves(x: np.ndarray, scheme: Scheme) -> None:
    lo, hi = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    part = x[-20_000:]
    histogram = Histogram.of(part)
    found = error_of(part, *choose_range(histogram, RangeMethod.MSE, scheme=scheme), scheme)
    shares = np.geomspace(1, 1 / 32, 25)
    lows = [lo] if lo == 0 or scheme is not Scheme.ASYMMETRIC else lo * shares
    best = min(
        error_of(part, low if scheme is Scheme.ASYMMETRIC else lo * share, hi * share, scheme)
        for low in lows
        for share in shares
    )
    assert found <= 1.03 * best
    assert found <= 1.001 * error_of(part, lo, hi, scheme)


def test_mse_knows_that_a_saturated_activation_ends_at_its_bound() -> None:
    assert choose_range(Histogram.of(TENSORS["relu6"]), RangeMethod.MSE) == (0.0, 6.0)


def naive_divergence(counts: np.ndarray, bins: int) -> float:
    """The textbook loop of TensorRT's calibration for one threshold."""
    p = counts[:bins].astype(float)
    inside = p.copy()
    p[-1] += counts[bins:].sum()
    q = np.zeros(bins)
    edges = [-(-level * bins // 256) for level in range(257)]
    for start, stop in pairwise(edges):
        occupied = [k for k in range(start, stop) if inside[k] > 0]
        for k in occupied:
            q[k] = inside[start:stop].sum() / len(occupied)
    p, q = p / p.sum(), q / q.sum()
    q = (1 - 1e-4) * q + 1e-4 / bins
    return sum(a * np.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


@pytest.mark.parametrize("name", ["heavy tails", "normal", "relu6"])
def test_entropy_agrees_with_the_textbook_loop_over_the_values_themselves(name: str) -> None:
    x = np.abs(TENSORS[name])
    counts, _ = np.histogram(x[x > 0], bins=4096, range=(0, x.max()))
    sizes = range(256, 4097, 256)
    naive = [naive_divergence(counts, size) for size in sizes]
    exact = _Search(counts.astype(float), zero=0)
    np.testing.assert_allclose([exact.divergence((0, size)) for size in sizes], naive, rtol=1e-9)
    _, hi = choose_range(Histogram.of(x), RangeMethod.ENTROPY)
    assert naive_divergence(counts, round(hi / x.max() * 4096)) <= min(naive) + 1e-3


def test_entropy_finds_the_least_divergence_of_all_windows() -> None:
    histogram = Histogram.of(np.abs(TENSORS["heavy tails"]))
    search = _Search(linear_bins(histogram, 0.0, histogram.maximum, 4096), zero=0)
    best = min(search.divergence((0, stop)) for stop in range(256, 4097))
    _, hi = entropy_range(histogram, Scheme.ASYMMETRIC)
    assert hi < histogram.maximum / 2
    assert search.divergence((0, round(hi / histogram.maximum * 4096))) <= best + 2e-3


def test_entropy_does_not_pay_for_an_outlier() -> None:
    lo, hi = choose_range(Histogram.of(TENSORS["outlier"]), RangeMethod.ENTROPY)
    assert -6 < lo < -3 and 3 < hi < 25


@tensors
@schemes
def test_rebinning_keeps_every_element_but_the_zeros(x: np.ndarray, scheme: Scheme) -> None:
    limit = float(np.abs(x).max())
    bins = linear_bins(Histogram.of(x), -limit, limit, 512)
    assert bins.min() >= 0
    assert bins.sum() == pytest.approx(np.count_nonzero(x))
    expected, _ = np.histogram(x[x != 0], bins=512, range=(-limit, limit))
    assert np.abs(np.cumsum(bins) - np.cumsum(expected)).max() < 0.01 * x.size


def test_empty_and_nonfinite_histograms_are_refused() -> None:
    with pytest.raises(DataError, match="empty"):
        choose_range(Histogram(), RangeMethod.MINMAX)
    with pytest.raises(DataError, match="1 NaN or Inf"):
        choose_range(Histogram.of(np.array([1, np.nan], np.float32)), RangeMethod.MSE)
    with pytest.raises(DataError, match="percentile"):
        choose_range(Histogram.of(np.ones(2, np.float32)), RangeMethod.PERCENTILE, percentile=0)
