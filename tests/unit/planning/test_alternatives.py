"""The plans of the front beside the one that was made, and the options that choose them."""

from __future__ import annotations

import math

from hypothesis import given

from quantune_mlir.numerics.formats import FP32
from quantune_mlir.planning.alternatives import Alternative, alternatives
from quantune_mlir.planning.budget import Budget, Limit
from quantune_mlir.planning.decisions import decided
from quantune_mlir.planning.front import Problem
from quantune_mlir.planning.plan import LayerPlan, PrecisionPlan
from quantune_mlir.planning.planner import Planned
from tests.unit.planning.problems import problems


def planned(problem: Problem) -> Planned:
    decisions = decided(problem, problem.front[len(problem.front) // 2])
    layers = tuple(LayerPlan(name=name, precision=decision.precision) for name, decision in decisions.items())
    return Planned(PrecisionPlan(format=1, layers=layers), decisions, problem)


def budget_of(options: tuple[str, ...]) -> Budget:
    given = dict(zip(options[::2], options[1::2], strict=True))
    size = given.get("--max-size")
    return Budget(float(given["--min-sqnr"]), max_size=None if size is None else Limit.of_size(size))


@given(problems())
def test_the_options_of_each_plan_choose_it(problem: Problem) -> None:
    for each in alternatives(planned(problem)):
        if not each.options:
            assert each.chosen or each.sqnr_db < 0
        elif each.options == ("--all", "fp32"):
            assert len(each.fp32) == len(problem.layers)
        elif each.options == ("--all", "int8"):
            assert each.fp32 == ()
        else:
            point = budget_of(each.options).choose(problem.front, problem)
            assert math.isclose(point.cost.time, each.time) and point.noise <= each.noise


@given(problems())
def test_the_plan_that_was_made_stands_among_them_once(problem: Problem) -> None:
    made = planned(problem)
    found = alternatives(made)
    (chosen,) = [each for each in found if each.chosen]
    fp32 = sorted(name for name, decision in made.decisions.items() if decision.precision is FP32)
    assert list(chosen.fp32) == fp32
    assert sum(each.fp32 == chosen.fp32 for each in found) == 1
    assert [each.time for each in found] == sorted(each.time for each in found)
    assert all(isinstance(each, Alternative) for each in found)
