"""The search for the quickest plan that loses little, over programs that are made up."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quantune_mlir.numerics.drop import ScoreDrop, estimate_drop
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.planning.front import pareto_front
from quantune_mlir.planning.graph import LayerNode
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planner
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.workflow.search import Found, search, slower_and_cleaner
from tests.unit.planning.problems import layer

LAYERS = 20
RNG = np.random.default_rng(3)
REFERENCE = RNG.standard_normal((400, 10)) * 3
DIRECTIONS = RNG.standard_normal((LAYERS, 400, 10))


def planner() -> Planner:
    """Layers that each add the same noise, and cost ever more."""
    layers = [layer(i, 0.002) for i in range(LAYERS)]
    graph = [LayerNode(f"layer{i}", "Conv", True, 100 + 10 * i) for i in range(LAYERS)]
    return Planner(SensitivityList.of(layers, model="m", samples=1), graph)


def scores(plan: PrecisionPlan) -> np.ndarray:
    int8 = [p.precision is INT8 for p in plan.layers]
    return REFERENCE + 0.15 * np.einsum("l,lij->ij", np.array(int8, float), DIRECTIONS)


def find(max_drop: float) -> tuple[Found, int]:
    found = search(planner(), lambda plan: estimate_drop(REFERENCE, scores(plan), None), max_drop=max_drop)
    return found, sum(p.precision is FP32 for p in found.planned.plan.layers)


def test_all_int8_is_tried_first_and_taken_if_it_will_do() -> None:
    found, fp32 = find(60.0)
    assert fp32 == 0 and [trial.accepted for trial in found.trials] == [True]


@pytest.mark.parametrize("max_drop", [8.0, 12.0, 16.0])
def test_the_quickest_plan_that_will_do_is_found_in_few_trials(max_drop: float) -> None:
    found, fp32 = find(max_drop)
    front = slower_and_cleaner(pareto_front(planner().problem))
    assert len(found.trials) <= math.log2(len(front)) + 2
    assert found.planned.plan.policy == f"max_drop {max_drop:g}"
    assert 0 < fp32 < LAYERS
    refused = [trial.fp32_layers for trial in found.trials if not trial.accepted]
    assert max(refused) == fp32 - 1, "one layer less is too little"
    assert all(trial.drop.points <= max_drop for trial in found.trials if trial.accepted)


def test_the_front_is_halved_where_losses_hardly_follow_the_noise() -> None:
    found = search(planner(), lambda plan: ScoreDrop(98.9, 100.0), max_drop=1.0)
    assert not any(trial.accepted for trial in found.trials)
    assert len(found.trials) <= 2 * math.log2(LAYERS) + 3


def test_nothing_but_fp32_loses_nothing() -> None:
    found, fp32 = find(0.0)
    assert fp32 == LAYERS
    assert not any(trial.accepted for trial in found.trials)


def test_a_score_counts_in_percent_of_that_of_fp32() -> None:
    """A negative one too, as an error rate would be: the higher, the better."""
    assert ScoreDrop(0.72, 0.8).points == pytest.approx(10)
    assert ScoreDrop(-0.22, -0.2).points == pytest.approx(10)
    assert ScoreDrop(0.9, 0.8).points < 0

    def drop(plan: PrecisionPlan) -> ScoreDrop:
        return ScoreDrop(40.0 - sum(p.precision is INT8 for p in plan.layers), 40.0)

    found = search(planner(), drop, max_drop=25.0)
    assert sum(p.precision is INT8 for p in found.planned.plan.layers) == 10
