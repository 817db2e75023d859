"""Figures: what they show is what was found."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from quantune_mlir.errors import QuantuneError
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.planning.alternatives import Alternative
from quantune_mlir.report.plots import draw_front, draw_histogram

PLANS = [
    Alternative(("a",), 0.1, 1.0, 10.0),
    Alternative(("b",), 0.001, 2.0, 10.0, chosen=True),
    Alternative(("c",), 0.2, 3.0, 5.0),
    Alternative(("a", "b", "c"), 0.0, 4.0, 40.0),
]


def test_the_front_marks_the_plan_that_was_made_and_leaves_out_what_has_no_noise() -> None:
    (axes,) = draw_front(PLANS, "cycles").axes
    drawn = {line.get_label(): [tuple(point) for point in line.get_xydata()] for line in axes.lines}
    assert drawn["least noise in this time"] == [(1.0, pytest.approx(10.0))]
    assert drawn["smaller"] == [(3.0, pytest.approx(6.9897))]
    assert drawn["this plan"] == [(2.0, pytest.approx(30.0))]
    assert axes.get_xlabel().endswith("cycles")


def test_without_costs_there_is_no_front() -> None:
    with pytest.raises(QuantuneError, match="weighs no costs"):
        draw_front([], "cycles")


def test_a_histogram_shades_what_integers_can_hold() -> None:
    (axes,) = draw_histogram("x", Histogram.of(np.linspace(-1, 3, 99, dtype=np.float32)), QuantParams(0.0078125)).axes
    *bars, span = axes.patches
    assert sum(bar.get_height() for bar in bars) >= 99
    assert (span.get_x(), span.get_x() + span.get_width()) == (-1.0, 0.9921875)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(QuantuneError, match="plots"):
        draw_front(PLANS, "cycles")
