"""Run 2 takes two in five of the samples, at least forty; half of them are probed."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.sensitivity.analysed_runs import LEAST_PROBED, AnalysedRuns

numbers = st.integers(0, 2000)


def test_of_a_hundred_samples_forty_are_run() -> None:
    runs = AnalysedRuns.of(100, probes=True)
    assert list(runs.probed) == list(range(0, 100, 5))
    assert (len(runs.compared), len(runs), runs.rarity) == (20, 40, 2.0)


@given(numbers, st.booleans())
def test_each_sample_is_run_once_at_most_and_in_order(count: int, probes: bool) -> None:
    runs = AnalysedRuns.of(count, probes=probes)
    assert not {*runs.probed} & {*runs.compared}
    for part in (runs.probed, runs.compared):
        assert list(part) == sorted({*part})
        assert {*part} <= {*range(count)}


@given(numbers)
def test_few_samples_are_all_run_and_probed_first(count: int) -> None:
    runs = AnalysedRuns.of(count, probes=True)
    assert len(runs.probed) == min(count, max(LEAST_PROBED, count // 5))
    assert len(runs.compared) == min(count - len(runs.probed), len(runs.probed))


@given(numbers)
def test_as_many_are_run_where_the_program_does_not_probe(count: int) -> None:
    without = AnalysedRuns.of(count, probes=False)
    assert (len(without.probed), without.rarity) == (0, 1.0)
    assert len(without) == len(AnalysedRuns.of(count, probes=True))


@given(st.integers(100, 2000), st.booleans())
def test_they_are_spread_over_all_samples(count: int, probes: bool) -> None:
    runs = AnalysedRuns.of(count, probes=probes)
    for part in filter(None, (runs.probed, runs.compared)):
        gaps = [after - before for before, after in itertools.pairwise(part)]
        assert max(gaps) <= 2 * count / len(part)
