from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quantune_mlir.errors import PlanError
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.budget import Budget
from quantune_mlir.planning.costs import Cost, CostModel
from quantune_mlir.planning.front import Point, Problem, pareto_front
from quantune_mlir.planning.graph import LayerNode, tail_of
from quantune_mlir.planning.noise_model import NoiseModel
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planner
from quantune_mlir.planning.policies import (
    FLOOR_DB,
    GOAL_DB,
    HARDLY,
    LITTLE,
    TRIMMED_DB,
    WORTHWHILE_DB,
    Policy,
    all_fp32,
    all_int8,
    default,
    fp32_layers,
    knee,
    within,
)
from quantune_mlir.planning.sensitivity import LayerSensitivity, SensitivityList
from quantune_mlir.planning.trimming import trimmed_front
from tests.unit.planning.problems import problems

Net = tuple[SensitivityList, list[LayerNode]]


def network(*layers: tuple[float | None, int], rounding: float | None = None) -> Net:
    """A chain of layers, each (SQNR at the output if it alone were int8, MACs); None has no int8 form."""
    rows = [
        LayerSensitivity(
            name=f"layer{i}",
            op="Conv" if macs else "Relu",
            index=i,
            quantizable=db is not None,
            macs=macs,
            weight_bytes=0,
            elements=1,
            output_normalized_mse=None if db is None else 10 ** (-db / 10),
            alone_normalized_mse=None if db is None else 10 ** (-db / 10),
        )
        for i, (db, macs) in enumerate(layers)
    ]
    graph = [
        LayerNode(r.name, r.op, r.quantizable, r.macs, (f"layer{i - 1}",) if i else ()) for i, r in enumerate(rows)
    ]
    return SensitivityList.of(rows, rounding=rounding, model="m", samples=1), graph


def planned(net: Net, policy: Policy, **options: str) -> PrecisionPlan:
    return Planner(*net, **options).plan(policy, "test").plan


def fp32(plan: PrecisionPlan) -> list[int]:
    return [i for i, layer in enumerate(plan.layers) if layer.precision is FP32]


def predicted(net: Net, fp32_layers: list[int]) -> float:
    return NoiseModel.of(net[0]).sqnr_db(x.name for x in net[0].layers if x.index not in fp32_layers)


NET = network((30.0, 100), (12.0, 50), (25.0, 900), (18.0, 100), (None, 0))
layers_of_nets = st.lists(st.tuples(st.floats(0, 60), st.integers(1, 1000)), min_size=1, max_size=9)
nets = st.builds(lambda layers, rounding: network(*layers, rounding=rounding), layers_of_nets, st.floats(0, 0.01))


def test_all_of_one_precision() -> None:
    assert fp32(planned(NET, all_int8)) == [4]
    assert fp32(planned(NET, all_fp32)) == [0, 1, 2, 3, 4]
    assert planned(NET, all_int8).layers[4].reason == "Relu has no int8 form"


def test_fp32_layers_takes_the_most_sensitive() -> None:
    assert [fp32(planned(NET, fp32_layers(n))) for n in range(5)] == [
        [4],
        [1, 4],
        [1, 3, 4],
        [1, 2, 3, 4],
        [0, 1, 2, 3, 4],
    ]
    with pytest.raises(PlanError, match="5 layers are to stay fp32, but only 4 could be either"):
        planned(NET, fp32_layers(5))


def test_reasons_are_in_numbers() -> None:
    plan = planned(NET, fp32_layers(2))
    assert plan.layers[3].reason == (
        "adds the 2nd most noise to the output; keeping it fp32 raises the predicted output SQNR from 17.0 to 23.8 dB "
        "and takes 26 % more time than int8 throughout"
    )
    assert plan.layers[0].reason == (
        "1.2 % of the noise that int8 throughout is predicted to have at the output; "
        "fp32 would take 26 % more time than int8 throughout"
    )


def test_reasons_count_the_noise_of_rounding() -> None:
    noise = sum(layer.noise for layer in NET[0].layers)
    plan = planned((NET[0].model_copy(update={"rounding_normalized_mse": noise}), NET[1]), fp32_layers(1))
    assert plan.layers[1].reason.split(" and takes")[0].endswith("from 7.8 to 9.9 dB")
    assert plan.layers[0].reason.startswith("0.6 % of")


def least_sqnr(target_db: float) -> Policy:
    return within(Budget(min_sqnr_db=target_db))


@given(nets, st.floats(0, 60))
def test_min_sqnr_takes_no_more_than_is_needed(net: Net, target: float) -> None:
    chosen = fp32(planned(net, least_sqnr(target)))
    assert predicted(net, chosen) >= target - 1e-9 or len(chosen) == len(net[1])
    problem = Planner(*net).problem
    quicker = [p for p in pareto_front(problem) if p.cost.time < time_of(problem, chosen) - 1e-6]
    assert all(predicted(net, [x.index for x in point.fp32]) < target + 1e-9 for point in quicker)


@given(problems(), st.floats(0, 40))
def test_a_trimmed_plan_has_what_was_asked_for_and_is_no_slower_than_the_front(problem: Problem, target: float) -> None:
    problem = replace(problem, noise_model=replace(problem.noise_model, constant=0.0))
    formats = {name: d.precision for name, d in within(Budget(min_sqnr_db=target))(problem).items()}
    time = problem.costs.total(formats).time
    chosen = min(p.cost.time for p in problem.front if decibels(p.noise) >= target)
    assert time <= chosen + 1e-6
    assert decibels(float(problem.noise_model.noise(formats).max())) >= target - 1e-6


def time_of(problem: Problem, chosen: list[int]) -> float:
    return problem.costs.total({f"layer{i}": FP32 for i in chosen}).time


def test_min_sqnr_beyond_what_rounding_allows_keeps_every_layer_fp32() -> None:
    net = network((30.0, 100), (math.inf, 10), rounding=1e-3)
    assert fp32(planned(net, least_sqnr(29.9))) == [0]
    everything = planned(net, least_sqnr(30.1))
    assert fp32(everything) == [0, 1]
    assert {layer.reason for layer in everything.layers} == {
        "fp32 throughout is within the budget, and the only plan without noise"
    }


@given(problems())
def test_the_knee_has_the_floor_and_is_worth_most_of_what_costs_little_more(problem: Problem) -> None:
    problem = replace(problem, noise_model=replace(problem.noise_model, constant=0.0))
    saved = problem.end.time - problem.start.time
    assume(saved > 0)

    def worth(point: Point) -> float:
        return min(decibels(point.noise), GOAL_DB) / (100 * WORTHWHILE_DB) - point.cost.time / saved

    chosen = knee(problem)
    tolerable = [point for point in problem.front if decibels(point.noise) >= FLOOR_DB]
    tolerable += trimmed_front(problem, TRIMMED_DB)
    quickest = min(point.cost.time for point in tolerable)
    most = quickest + max(LITTLE * saved, HARDLY * quickest)
    assert decibels(chosen.noise) >= FLOOR_DB and chosen.cost.time <= most
    assert all(worth(chosen) >= worth(point) for point in tolerable if point.cost.time <= most)


@pytest.mark.parametrize(("extra", "in_fp32"), [(0.0, ["layer1"]), (0.1, [])])
def test_what_is_no_slower_in_fp32_and_has_no_macs_is_fp32(extra: float, in_fp32: list[str]) -> None:
    net, graph = network((60.0, 100), (60.0, 0), (60.0, 100))
    times = {"layer0": (45.0, 90.0), "layer1": (1.0, 1.0 + extra), "layer2": (45.0, 90.0)}
    costs = CostModel({n: {INT8: Cost(i), FP32: Cost(f)} for n, (i, f) in times.items()}, (), Cost(), "cycles")
    problem = Problem(net.layers, NoiseModel.of(net), costs, tail=tail_of(graph, times))
    assert [name for name, found in default(problem).items() if found.precision is FP32] == in_fp32


def test_the_tail_is_what_no_multiply_accumulates_follow() -> None:
    """Two heads of a detector behind an activation, a softmax without int8 form after the one of them."""
    graph = [
        LayerNode("conv", "Conv", True, 9),
        LayerNode("swish", "Mul", True, 0, ("conv",)),
        LayerNode("head", "Conv", True, 9, ("swish",)),
        LayerNode("scale", "Mul", True, 0, ("head",)),
        LayerNode("softmax", "Softmax", False, 0, ("scale",)),
        LayerNode("join", "Mul", True, 0, ("softmax", "swish")),
        LayerNode("clip", "Clip", True, 0, ("join",)),
    ]
    free = [node.name for node in graph if node.quantizable]
    assert tail_of(graph, free) == {"clip": set(), "join": {"clip"}, "scale": {"join"}}


@pytest.mark.parametrize(("extra", "in_fp32"), [(1.0, ["layer1"]), (3.0, [])])
def test_a_last_layer_without_macs_is_fp32_where_that_costs_next_to_nothing(extra: float, in_fp32: list[str]) -> None:
    net, graph = network((60.0, 100), (60.0, 0))
    times = {"layer0": 90.0, "layer1": 10.0}
    costs = {name: {INT8: Cost(time), FP32: Cost(time + extra)} for name, time in times.items()}
    costs = CostModel(costs, (), Cost(), "cycles")
    problem = Problem(net.layers, NoiseModel.of(net), costs, tail=tail_of(graph, ["layer0", "layer1"]))
    assert [name for name, found in default(problem).items() if found.precision is FP32] == in_fp32


def test_default_keeps_a_good_net_all_int8() -> None:
    assert fp32(planned(network(*[(46.0, 100)] * 20, rounding=1e-4), default)) == []


def test_default_keeps_only_a_bad_cheap_layer_fp32() -> None:
    good = [(46.0, 100)] * 10
    assert fp32(planned(network(*good, (14.0, 10), *good), default)) == [10]
    assert fp32(planned(network(*good, (20.0, 10), *good, rounding=1e-4), default)) == [10], (
        "above the floor: it is cheap"
    )


def test_default_pays_any_price_up_to_the_floor_and_only_a_fair_and_little_one_above() -> None:
    """The second layer of two alike would raise 23.0 dB to 25.2, but costs half of what int8 saves; of ten, a tenth."""
    assert fp32(planned(network((17.0, 10_000), (26.0, 10_000), rounding=2e-3), default)) == [0]
    assert fp32(planned(network((27.0, 10_000), (27.0, 10_000), rounding=1e-3), default)) == []
    assert fp32(planned(network((12.0, 10_000), (30.0, 100)), default)) == [0, 1]
    assert fp32(planned(network((25.0, 10_000), (28.0, 10_000), *[(46.0, 10_000)] * 8), default)) == [0]
    assert fp32(planned(network((24.0, 10_000), *[(46.0, 10_000)] * 5), default)) == [], "a sixth is too much"
    assert fp32(planned(network((36.0, 10_000), *[(40.0, 10_000)] * 9), default)) == [], "1 dB for a tenth is too few"


def test_default_prefers_cheap_layers() -> None:
    net = network((27.0, 10_000), (27.0, 100), (40.0, 10_000), rounding=1e-3)
    assert predicted(net, []) > FLOOR_DB
    assert fp32(planned(net, default)) == [1]


def test_silent_layers_stay_int8() -> None:
    assert fp32(planned(network((math.inf, 10), (5.0, 10)), least_sqnr(90.0))) == [1]


def test_keep_fp32_composes_with_a_policy() -> None:
    plan = planned(NET, fp32_layers(1), keep_fp32="layer[01]$")
    assert fp32(plan) == [0, 1, 3, 4]
    assert plan.policy == "test, keep_fp32 'layer[01]$'"
    assert "layer[01]$" in plan.layers[0].reason
    with pytest.raises(PlanError, match=r"matches no layer(.|\n)*'layer"):
        planned(NET, all_int8, keep_fp32="layre1")
    with pytest.raises(PlanError, match="no regular expression"):
        planned(NET, all_int8, keep_fp32="(")


def test_layers_without_macs_follow_fp32_producers() -> None:
    chain = network((math.inf, 0), (10.0, 100), (math.inf, 0), (30.0, 100), (math.inf, 0))
    plan = planned(chain, fp32_layers(1))
    assert fp32(plan) == [0, 1, 2]
    assert "boundary" in plan.layers[0].reason and "boundary" in plan.layers[2].reason
    assert fp32(planned(chain, all_int8)) == []


@pytest.mark.parametrize(("fp32_time", "in_fp32"), [(1.0, [1, 2]), (1.1, [1])])
def test_layers_without_macs_stay_int8_where_that_is_quicker(fp32_time: float, in_fp32: list[int]) -> None:
    chain = network((30.0, 100), (10.0, 100), (40.0, 0), (30.0, 100))
    times = {"layer0": 9.0, "layer1": 9.0, "layer2": fp32_time, "layer3": 9.0}
    costs = CostModel({n: {INT8: Cost(1.0), FP32: Cost(time)} for n, time in times.items()}, (), Cost(), "cycles")
    assert fp32(Planner(*chain, costs).plan(fp32_layers(1), "test").plan) == in_fp32


def test_a_sum_of_int8_and_fp32_stays_int8() -> None:
    sensitivity, graph = network((10.0, 100), (30.0, 100), (40.0, 0))
    graph[1] = LayerNode("layer1", "Conv", True, 100)
    graph[2] = LayerNode("layer2", "Add", True, 0, ("layer0", "layer1"))
    assert fp32(Planner(sensitivity, graph).plan(fp32_layers(1), "test").plan) == [0]


def test_the_list_must_be_of_the_graph() -> None:
    with pytest.raises(PlanError, match="not of this model"):
        Planner(NET[0], NET[1][:2])


@given(nets, st.randoms(use_true_random=False))
def test_default_does_not_depend_on_the_order_of_the_list(net: Net, random) -> None:
    shuffled = list(net[0].layers)
    random.shuffle(shuffled)
    again = planned((net[0].model_copy(update={"layers": tuple(shuffled)}), net[1]), default)
    assert again.to_yaml() == planned(net, default).to_yaml()


def test_plans_load_again() -> None:
    plan = planned(NET, default)
    assert PrecisionPlan.from_yaml(plan.to_yaml()).fitted_to(NET[1], model="m") == plan
