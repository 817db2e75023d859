from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.errors import PlanError
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.budget import Budget, Limit
from quantune_mlir.planning.costs import CostModel
from quantune_mlir.planning.front import Problem, pareto_front
from quantune_mlir.planning.noise_model import NoiseModel
from tests.unit.planning.problems import layer, problems


@pytest.mark.parametrize(
    ("text", "number"), [("5ms", 5000), ("300us", 300), ("0.25 s", 250_000), (".5x", 2000), ("2X", 8000)]
)
def test_limits_of_time(text: str, number: float) -> None:
    assert Limit.of_time(text).against(4000) == number


@pytest.mark.parametrize(("text", "number"), [("300KB", 300_000), ("1.5MiB", 1.5 * 2**20), ("0.5x", 2000)])
def test_limits_of_size(text: str, number: float) -> None:
    assert Limit.of_size(text).against(4000) == number


@pytest.mark.parametrize("text", ["5", "ms", "-5ms", "0ms", "5 parsecs", "1e3ms", ""])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="not a limit"):
        Limit.of_time(text)


@given(problems(), st.floats(0.01, 1.5), st.floats(0.01, 1.5))
def test_the_choice_is_the_best_within_the_limits(problem: Problem, time: float, size: float) -> None:
    budget = Budget(max_time=Limit(time, True, f"{time}x"), max_size=Limit(size, True, f"{size}x"))
    front = pareto_front(problem)
    fits = [
        p for p in front if p.cost.time <= time * problem.end.time and p.cost.size <= size * problem.end.size + 1e-12
    ]
    if fits:
        assert budget.choose(front, problem).noise == min(p.noise for p in fits)
    else:
        with pytest.raises(PlanError, match="no plan keeps to --max-latency"):
            budget.choose(front, problem)


@given(problems(), st.floats(0, 40))
def test_with_a_least_sqnr_the_quickest_plan_is_chosen(problem: Problem, least: float) -> None:
    front = pareto_front(problem)
    chosen = Budget(min_sqnr_db=least).choose(front, problem)
    good = [p for p in front if decibels(p.noise) >= least]
    assert chosen.cost.time == min(p.cost.time for p in good)


def test_impossible_budgets_name_the_nearest_plan() -> None:
    problem = problem_of_two()
    front = pareto_front(problem)
    with pytest.raises(PlanError) as caught:
        Budget(max_time=Limit.of_time("0.1x")).choose(front, problem)
    assert "the nearest one has 10.0 dB, 0.25 of the time of fp32, 0 KiB of constants" in str(caught.value)
    with pytest.raises(PlanError) as caught:
        Budget(min_sqnr_db=50, max_time=Limit.of_time("0.7x")).choose(front, problem)
    assert "no plan keeps to --min-sqnr 50 --max-latency 0.7x" in str(caught.value)
    assert "the nearest one has 20.0 dB, 0.62" in str(caught.value)


def test_seconds_need_a_target_whose_time_is_known() -> None:
    problem = problem_of_two()
    with pytest.raises(PlanError, match=r"only relative to fp32(.|\n)*0.5x"):
        Budget(max_time=Limit.of_time("5ms")).choose(pareto_front(problem), problem)


def problem_of_two() -> Problem:
    layers = [layer(0, 0.09), layer(1, 0.01)]
    return Problem(layers, NoiseModel.additive(layers), CostModel.by_macs({"layer0": 100, "layer1": 100}))
