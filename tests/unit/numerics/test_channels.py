"""Channel statistics: sums without rounding, the same however the samples are split."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
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
