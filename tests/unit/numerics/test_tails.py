"""What the extremes of runs tell of samples that were not seen."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.mse_range import mse_range
from quantune_mlir.numerics.parameters import activation_params, dequantize, quantize
from quantune_mlir.numerics.schemes import Scheme
from quantune_mlir.numerics.tails import Tail, beyond, clipped_share, tails

RUNS = 100


def loud(seed: int, runs: int, spread: float) -> np.ndarray:
    """Runs of normal noise, their loudness lognormal: float32[runs, 400]."""
    rng = np.random.default_rng(seed)
    return (np.exp(spread * rng.standard_normal((runs, 1))) * rng.standard_normal((runs, 400))).astype(np.float32)


def by_run(samples: np.ndarray) -> Histogram:
    return reduce(Histogram.merge, map(Histogram.of, samples))


@pytest.mark.parametrize("index", [0.3, 0.4])
def test_the_index_of_a_pareto_tail_is_found(index: float) -> None:
    outermost = np.sort(np.random.default_rng(0).pareto(1 / index, 1000) + 1)[::-1][:64].astype(np.float32)
    found = Tail.of(outermost, 300)
    assert found is not None
    assert found.index == pytest.approx(index, rel=0.3)
    assert (found.reached, found.threshold) == (outermost[0], outermost[60])
    assert found.reach(16) == pytest.approx(found.reached * 16**found.index)


def test_a_tail_without_variance_is_not_followed_further() -> None:
    found = Tail.of(np.sort(np.random.default_rng(0).pareto(1.0, 1000) + 1)[::-1][:64].astype(np.float32), 300)
    assert found is not None and found.reach(4) == pytest.approx(2 * found.reached)


def test_what_is_alike_bounded_or_seldom_seen_has_no_heavy_tail() -> None:
    assert tails(by_run(loud(1, RUNS, 0.1))) == (None, None)
    capped = np.minimum(loud(2, RUNS, 1.0), 2)
    assert tails(by_run(capped))[1] is None, "several runs reach the bound"
    assert tails(by_run(loud(3, 12, 1.0))) == (None, None)
    assert tails(by_run(np.abs(loud(4, RUNS, 1.0))))[0] is None, "nothing is negative"


def test_what_is_expected_beyond_the_extremes() -> None:
    tail = (np.random.default_rng(5).pareto(2.0, (RUNS, 50)) + 1).astype(np.float32)
    histogram = by_run(tail)
    found = beyond(histogram, 4.0)
    assert found.lower[0] == histogram.maximum and (np.diff(found.lower) > 0).all()
    expected = tail.size * (found.lower[0] ** -2.0 - found.upper[-1] ** -2.0)
    assert 0.2 < found.counts.sum() / expected < 5
    far = float(found.upper[-1])
    assert clipped_share(histogram, -far, far, 4.0) == 0
    assert clipped_share(histogram, 0, far / 2, 4.0) < clipped_share(histogram, 0, far / 4, 4.0)


@pytest.mark.parametrize("scheme", [Scheme.ASYMMETRIC, Scheme.SYMMETRIC])
def test_ranges_of_heavy_tails_hold_unseen_samples_better(scheme: Scheme) -> None:
    def noise(unseen: np.ndarray, lo: float, hi: float) -> float:
        params = activation_params(lo, hi, scheme)
        return float(np.sum((dequantize(quantize(unseen, params), params).astype(np.float64) - unseen) ** 2))

    noises: list[tuple[float, float]] = []
    for seed in range(0, 16, 2):
        seen, unseen = loud(seed, RUNS, 0.8), loud(seed + 1, 4 * RUNS, 0.8)
        within, further = mse_range(Histogram.of(seen), scheme), mse_range(by_run(seen), scheme)
        assert within[1] <= seen.max() and further[1] < 4 * seen.max()
        noises.append((noise(unseen, *within), noise(unseen, *further)))
    assert np.max(noises, axis=0)[1] < 0.5 * np.max(noises, axis=0)[0]


def test_samples_that_are_alike_keep_their_range() -> None:
    seen = loud(8, RUNS, 0.1)
    assert mse_range(by_run(seen), Scheme.ASYMMETRIC) == mse_range(Histogram.of(seen), Scheme.ASYMMETRIC)


def test_tensors_of_different_sizes_that_share_a_range_have_no_heavy_tail_for_that() -> None:
    seen = loud(9, RUNS, 0.3)
    large, small = by_run(10 * seen), by_run(seen)
    assert tails(large.join(small).join(small)) == (None, None)
