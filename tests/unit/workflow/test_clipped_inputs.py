from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.workflow.clipped_inputs import Extremes, clipping_warnings, widened

PROFILE = Profile("model", 1, {"%x": Histogram.of(np.array([-0.3, 0.2], np.float32)), "conv": Histogram()})


def test_extremes_are_of_all_runs_and_of_numbers_with_fractions() -> None:
    extremes: Extremes = {}
    for run in ((np.array([1.0, 2.0], np.float32), np.array([7])), (np.array([-1.0], np.float32), np.array([9]))):
        extremes = widened(extremes, ["x", "count"], run)
    assert extremes == {"x": (-1.0, 2.0)}


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(-0.3, 0.2, False), (-0.37, 0.24, False), (-0.38, 0.2, True), (-0.1, 0.26, True), (0.1, 0.1, False)],
)
def test_what_reaches_much_further_than_in_calibration_is_told(low: float, high: float, told: bool) -> None:
    warnings = clipping_warnings(PROFILE, {"x": (low, high), "conv": (-9.0, 9.0)})
    assert [text.startswith(f"samples of 'x' go from {low:.4g} to {high:.4g}") for text in warnings] == [True] * told
