"""The numbers that a decision rests on."""

from __future__ import annotations

import pytest
from hypothesis import given

from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.decisions import Ground, decided
from quantune_mlir.planning.front import Point, Problem, walk
from tests.unit.planning.problems import problems


@given(problems())
def test_what_a_layer_in_int8_brings_and_costs_is_told_beside_the_plan(problem: Problem) -> None:
    point = problem.front[len(problem.front) // 2]
    fp32 = {layer.name for layer in point.fp32}
    for name, decision in decided(problem, point).items():
        if name in fp32:
            continue
        int8 = [layer.name for layer in problem.layers if layer.name not in fp32]
        moved = [other for other in int8 if other != name]
        now, then = (problem.noise_model.noise(dict.fromkeys(names, INT8)).max() for names in (int8, moved))
        assert decision.precision is INT8 and decision.ground is Ground.QUIET
        assert decision.noise_int8 == pytest.approx(now, abs=1e-12)
        assert decision.noise_fp32 == pytest.approx(then, abs=1e-12)
        before, after = (problem.costs.total(dict.fromkeys(names, FP32)).time for names in (fp32, {*fp32, name}))
        assert decision.extra_time == pytest.approx(after - before, abs=1e-9)


@given(problems())
def test_ranks_are_by_noise(problem: Problem) -> None:
    decisions = decided(problem, Point(walk(problem, ()), 0))
    by_rank = sorted(decisions.values(), key=lambda decision: decision.rank or 0)
    assert [decision.rank for decision in by_rank] == list(range(1, len(by_rank) + 1))
    noise = [decision.brings or 0.0 for decision in by_rank]
    assert noise == sorted(noise, reverse=True)


@given(problems())
def test_a_neighbour_that_comes_along_names_the_layer_that_it_follows(problem: Problem) -> None:
    trail = walk(problem, problem.layers)
    decisions = decided(problem, Point(trail, len(trail.steps) - 1), fp32=Ground.BUYS)
    for before, step in zip(trail.steps, trail.steps[1:], strict=False):
        for layer in step.layers:
            decision = decisions[layer.name]
            if decision.ground is Ground.NEIGHBOUR:
                assert decision.named == step.layers[0].name != layer.name
            assert decibels(decision.noise_int8 or 0) == decibels(before.noise)
