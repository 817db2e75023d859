from __future__ import annotations

import math

import pytest
from hypothesis import given

from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.planning.costs import Cost, CostModel, Reader, Stream
from quantune_mlir.planning.front import Point, Problem, best_buys, pareto_front, walk
from quantune_mlir.planning.noise_model import NoiseModel
from tests.unit.planning.problems import layer, problems


def beats(one: Point, other: Point) -> bool:
    ours, theirs = ((p.cost.time, p.noise, p.cost.size) for p in (one, other))
    return all(a <= b for a, b in zip(ours, theirs, strict=True)) and ours != theirs


@given(problems())
def test_no_point_of_the_front_beats_another(problem: Problem) -> None:
    front = pareto_front(problem)
    assert not any(beats(one, other) for one in front for other in front)
    assert [p.cost.time for p in front] == sorted(p.cost.time for p in front)


@given(problems())
def test_every_prefix_of_the_list_is_beaten_or_on_the_front(problem: Problem) -> None:
    front = pareto_front(problem)
    trail = walk(problem, sorted(problem.layers, key=lambda layer: (-(layer.alone_normalized_mse or 0), layer.index)))
    for steps in range(len(trail.steps)):
        point = Point(trail, steps)
        assert any(
            p.cost.time <= point.cost.time and p.noise <= point.noise and p.cost.size <= point.cost.size for p in front
        )


@given(problems())
def test_points_cost_what_their_layers_cost(problem: Problem) -> None:
    for point in pareto_front(problem):
        names = [each.name for each in point.fp32]
        assert len(set(names)) == len(names)
        assert point.cost.time == pytest.approx(problem.costs.total(dict.fromkeys(names, FP32)).time)
        left = math.fsum(each.noise for each in problem.layers if each.name not in names)
        everything = len(names) == len(problem.layers) and point.noise == 0
        assert everything or point.noise == pytest.approx(problem.noise_model.constant + left)


@given(problems())
def test_no_boundary_is_left_that_costs_more_than_it_returns(problem: Problem) -> None:
    trail = walk(problem, best_buys(problem, lambda cost: cost.time))
    ledger = problem.ledger()
    for step in trail.steps:
        for moved in step.layers:
            ledger.move(moved.name)
        moved_names = {moved.name for moved in step.layers}
        for stream in problem.costs.streams:
            names = {stream.producer, *(reader.layer for reader in stream.readers)} & set(problem.costs.layers)
            if names & moved_names:
                assert all(ledger.price(name).time > 0 for name in names if ledger.format_of(name).is_integer)


def test_a_neighbour_comes_along_where_that_takes_a_boundary_away() -> None:
    costs = {name: {INT8: Cost(10), FP32: Cost(14)} for name in ("layer0", "layer1", "layer2")}
    readers = (Reader("layer1", False), Reader("layer2", False))
    layers = [layer(1, 0.5), layer(0, 0.1), layer(2, 0.1)]
    problem = Problem(
        layers,
        NoiseModel.additive(layers),
        CostModel(costs, [Stream("layer0", readers, 9.0)], Cost(), "µs"),
    )
    first = walk(problem, problem.layers).steps[1]
    assert [each.name for each in first.layers] == ["layer1", "layer2"], "5 less than a conversion"
    assert first.cost.time == 38
    alone = walk(problem, problem.layers[:1], alone=True).steps[1]
    assert [each.name for each in alone.layers] == ["layer1"] and alone.cost.time == 43
