"""Channel statistics: sums without rounding, the same however the samples are split."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quantune_mlir.numerics.channels import ChannelStatistics, exact_bins

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
TABLES = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=FLOATS)


def statistics(samples: np.ndarray) -> ChannelStatistics:
    """Statistics of samples, float32[samples, channels], that have one element in each channel."""
    parts = [ChannelStatistics(1, exact_bins(sample), sample, sample) for sample in samples]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.merge(part)
    return whole


@given(TABLES)
def test_mean_is_that_of_exact_arithmetic(samples: np.ndarray) -> None:
    for channel, mean in enumerate(statistics(samples).mean):
        values = [Fraction(float(value)) for value in samples[:, channel]]
        exact = sum(values) / len(values)
        assert abs(Fraction(mean) - exact) <= abs(exact) * Fraction(1, 2**45)


@given(TABLES, st.randoms(use_true_random=False))
def test_order_and_splitting_do_not_matter(samples: np.ndarray, random) -> None:
    order = list(range(len(samples)))
    random.shuffle(order)
    cut = random.randint(1, len(samples))
    shuffled = samples[order]
    first, rest = statistics(shuffled[:cut]), shuffled[cut:]
    assert (first.merge(statistics(rest)) if len(rest) else first) == statistics(samples)


def test_cancelling_sums_leave_what_is_left() -> None:
    samples = np.array([[1e30], [1.0], [-1e30], [1e-30]], np.float32)
    assert statistics(samples).mean[0] == (1.0 + float(np.float32(1e-30))) / 4


def test_root_mean_squares_are_those_of_normal_values_with_any_mean() -> None:
    means, deviations = np.array([0.0, 3.0, -20.0, 0.0]), np.array([2.0, 0.5, 1.0, 0.0])
    drawn = means + deviations * np.random.default_rng(0).standard_normal((200, 4))
    found = statistics(drawn.astype(np.float32)).root_mean_square
    assert found[:3] == pytest.approx(np.sqrt(np.mean(drawn**2, axis=0))[:3], rel=0.2)
    assert found[3] == 0


def test_the_root_mean_square_of_one_value_is_its_magnitude() -> None:
    assert statistics(np.array([[-3.0]], np.float32)).root_mean_square == pytest.approx([3])
