from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quantune_mlir.errors import DataError
from quantune_mlir.numerics.histogram import BUCKETS, Histogram
from quantune_mlir.numerics.ranges import choose_range
from quantune_mlir.numerics.run_extremes import KEPT, RunExtremes
from quantune_mlir.numerics.schemes import RangeMethod

any_floats = hnp.arrays(np.float32, st.integers(0, 60), elements=st.floats(width=32))
finite_floats = hnp.arrays(
    np.float32, st.integers(1, 60), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)


def between(low: float, high: float) -> RunExtremes:
    return RunExtremes.of(np.array([low], np.float32), np.array([high], np.float32))


@given(any_floats)
def test_counts_are_those_of_the_upper_halves(x: np.ndarray) -> None:
    histogram = Histogram.of(x)
    finite = x[np.isfinite(x)]
    expected = np.bincount(finite.view(np.uint32) >> 16, minlength=BUCKETS)
    np.testing.assert_array_equal(histogram.dense(), expected)
    assert histogram.count == x.size
    assert histogram.nonfinite == x.size - finite.size
    if finite.size and finite.size == x.size:
        assert (histogram.minimum, histogram.maximum) == (finite.min(), finite.max())


@given(finite_floats, finite_floats, finite_floats)
def test_merge_is_exact_associative_and_commutative(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    ha, hb, hc = Histogram.of(a), Histogram.of(b), Histogram.of(c)
    whole = Histogram.of(np.concatenate([a, b, c]))
    merged = ha.merge(hb).merge(hc)
    assert merged == hc.merge(ha.merge(hb))
    assert replace(merged, extremes=whole.extremes) == whole
    assert merged.extremes == RunExtremes.of(*(np.array([f(x) for x in (c, a, b)]) for f in (np.min, np.max)))
    assert ha.merge(Histogram()) == ha == Histogram().merge(ha)


@given(any_floats, any_floats)
def test_merge_adds_nonfinite_elements(a: np.ndarray, b: np.ndarray) -> None:
    merged = Histogram.of(a).merge(Histogram.of(b))
    assert merged.nonfinite == np.count_nonzero(~np.isfinite(np.concatenate([a, b])))
    assert merged.count == a.size + b.size


@given(finite_floats)
def test_buckets_ascend_and_hold_their_elements(x: np.ndarray) -> None:
    histogram = Histogram.of(x)
    lower, upper = histogram.lower, histogram.upper
    assert (lower <= upper).all() and (upper[:-1] <= lower[1:]).all()
    assert (np.diff([value for value, _ in histogram.items()]) >= 0).all()
    held_as_zero = 2.0**-133
    for value in x.astype(np.float64):
        assert ((lower - held_as_zero <= value) & (value <= upper + held_as_zero)).any()


@given(finite_floats)
def test_buckets_are_narrower_than_one_percent(x: np.ndarray) -> None:
    histogram = Histogram.of(np.abs(x) + np.float32(2.0**-126))
    assert (histogram.upper - histogram.lower <= 0.01 * histogram.upper).all()


def test_signed_zeros_count_as_zero() -> None:
    histogram = Histogram.of(np.array([-0.0, 0.0, -0.0], np.float32))
    assert list(histogram.items()) == [(0.0, 2), (0.0, 1)]
    assert str(histogram.minimum) == str(histogram.maximum) == "0.0"


@given(st.lists(st.integers(0, 0x7F7F) | st.integers(0x8000, 0xFF7F)))
def test_from_device_counts(patterns: list[int]) -> None:
    x = (np.array(patterns, np.uint32) << 16).view(np.float32)
    occupied, counts = np.unique(np.array(patterns, np.uint32), return_counts=True)
    extremes = between(x.min(), x.max()) if x.size else RunExtremes()
    histogram = Histogram.from_counts(occupied, counts, extremes)
    assert histogram == Histogram.of(x)
    assert (np.diff(histogram.lower) >= 0).all()


def test_from_counts_refuses_extremes_that_contradict_the_counts() -> None:
    one = np.array([0x3F80])
    with pytest.raises(ValueError, match="maximum"):
        Histogram.from_counts(one, np.array([3]), between(0.5, 0.75))
    with pytest.raises(ValueError, match="minimum"):
        Histogram.from_counts(one, np.array([3]), between(1.5, 1.75))
    with pytest.raises(ValueError, match="counts"):
        Histogram.from_counts(one, np.array([3, 4]), between(1.0, 1.0))


def test_extremes_that_were_not_counted_count_once_where_a_range_is_chosen() -> None:
    counted = Histogram.from_counts(np.array([0x3F80]), np.array([3]), between(-0.5, 1.0))
    assert (counted.count, counted.minimum, counted.maximum) == (3, -0.5, 1.0)
    whole = counted.with_extremes()
    joined = counted.merge(Histogram.of(np.array([-0.5], np.float32)))
    assert whole == replace(joined, extremes=counted.extremes)
    assert whole.with_extremes() is whole
    assert Histogram().with_extremes() == Histogram()


@pytest.mark.parametrize("method", RangeMethod)
def test_a_range_is_found_where_only_zeros_were_counted(method: RangeMethod) -> None:
    lo, hi = choose_range(Histogram.from_counts(np.array([0]), np.array([4096]), between(-1.0, 2.0)), method)
    assert -1.0 <= lo < hi <= 2.0


def test_from_counts_with_nan_ignores_the_extremes() -> None:
    histogram = Histogram.from_counts(np.array([0x3F80, 0x7FC0]), np.array([3, 2]), between(np.nan, np.nan))
    assert (histogram.nonfinite, histogram.count, histogram.minimum, histogram.maximum) == (2, 5, 1.0, 1.0078125)
    with pytest.raises(DataError, match="tensor conv1: 2 of 5 values"):
        histogram.require_finite("conv1")


def test_subnormals_flushed_by_a_device_are_accepted() -> None:
    assert Histogram.from_counts(np.array([0x0040, 0x3F80]), np.array([1, 1]), between(0.0, 1.0)).minimum == 0.0


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match="float64"):
        Histogram.of(np.zeros(3))


def test_the_outermost_extremes_of_runs_are_kept_whatever_their_order() -> None:
    lows, highs = np.random.default_rng(0).standard_cauchy((2, 5 * KEPT)).astype(np.float32)
    parts = [RunExtremes.of(lows[i::3], highs[i::3]) for i in (2, 0, 1)]
    merged = parts[0].merge(parts[1]).merge(parts[2])
    assert merged == RunExtremes.of(lows, highs)
    assert merged.runs == 5 * KEPT
    np.testing.assert_array_equal(merged.lowest, np.sort(lows)[:KEPT])
    np.testing.assert_array_equal(merged.highest, np.sort(highs)[::-1][:KEPT])
