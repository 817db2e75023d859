from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.errors import PlanError
from quantune_mlir.planning.graph import LayerNode
from quantune_mlir.planning.plan import Precision, PrecisionPlan
from quantune_mlir.planning.planner import make_plan
from quantune_mlir.planning.policies import (
    DEFAULT_TARGET_DB,
    Policy,
    all_fp32,
    all_int8,
    default,
    fp32_layers,
    min_sqnr,
    predicted_sqnr_db,
)
from quantune_mlir.planning.sensitivity import LayerSensitivity, Metric, SensitivityList


def network(*layers: tuple[float | None, int]) -> tuple[SensitivityList, list[LayerNode]]:
    """A chain of layers, each (local SQNR, MACs); None has no int8 form."""
    rows = [
        LayerSensitivity(
            name=f"layer{i}",
            op="Conv" if macs else "Relu",
            index=i,
            quantizable=db is not None,
            macs=macs,
            weight_bytes=0,
            elements=1,
            local_sqnr_db=db,
            local_normalized_mse=None if db is None else 10 ** (-db / 10),
        )
        for i, (db, macs) in enumerate(layers)
    ]
    graph = [
        LayerNode(r.name, r.op, r.quantizable, r.macs, (f"layer{i - 1}",) if i else ()) for i, r in enumerate(rows)
    ]
    return SensitivityList.of(rows, model="m", samples=1, metric=Metric.LOCAL_SQNR), graph


def planned(net: tuple[SensitivityList, list[LayerNode]], policy: Policy, **options: str) -> PrecisionPlan:
    return make_plan(*net, policy, policy_name="test", **options)


def fp32(plan: PrecisionPlan) -> list[int]:
    return [i for i, layer in enumerate(plan.layers) if layer.precision is Precision.FP32]


def predicted(net: tuple[SensitivityList, list[LayerNode]], plan: PrecisionPlan) -> float:
    precision = plan.precision_of()
    return predicted_sqnr_db([layer for layer in net[0].layers if precision[layer.name] is Precision.INT8])


NET = network((30.0, 100), (12.0, 50), (25.0, 900), (18.0, 100), (None, 0))
nets = st.lists(st.tuples(st.floats(0, 60), st.integers(1, 1000)), min_size=1, max_size=9).map(lambda x: network(*x))


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
        "local SQNR 18.0 dB is the 2nd lowest; keeping it fp32 raises the predicted output SQNR from 17.0 to 23.8 dB"
    )
    assert plan.layers[0].reason.startswith("local SQNR 30.0 dB: 1.2 % of the predicted output noise")


@given(nets, st.floats(-5, 60))
def test_min_sqnr_takes_the_shortest_prefix_that_reaches_it(net, target: float) -> None:
    plan = planned(net, min_sqnr(target))
    chosen = len(fp32(plan))
    assert predicted(net, plan) >= target - 1e-9
    if chosen:
        assert predicted(net, planned(net, fp32_layers(chosen - 1))) < target + 1e-9


@given(nets)
def test_default_reaches_its_target_or_leaves_only_negligible_noise(net) -> None:
    plan = planned(net, default)
    reached = predicted(net, plan)
    assert reached >= DEFAULT_TARGET_DB - 1
    for index in fp32(plan):
        without = [layer for layer in net[0].layers if layer.index == index or layer.index not in fp32(plan)]
        assert predicted_sqnr_db(without) < DEFAULT_TARGET_DB + 1e-9, "needless fp32"


@given(nets)
def test_default_moves_little_more_macs_than_the_best_choice(net) -> None:
    layers = net[0].layers
    moved = sum(net[1][i].macs for i in fp32(planned(net, default)))
    if predicted(net, planned(net, default)) < DEFAULT_TARGET_DB:
        return
    best = min(
        sum(layer.macs for layer in kept)
        for size in range(len(layers) + 1)
        for kept in combinations(layers, size)
        if predicted_sqnr_db([layer for layer in layers if layer not in kept]) >= DEFAULT_TARGET_DB
    )
    assert moved <= best + max(layer.macs for layer in layers) + 0.1 * sum(layer.macs for layer in layers)


def test_default_keeps_a_good_net_all_int8() -> None:
    assert fp32(planned(network(*[(40.0, 100)] * 20), default)) == []


def test_default_prefers_cheap_layers() -> None:
    net = network((18.0, 10_000), (18.0, 100), (40.0, 10_000))
    assert DEFAULT_TARGET_DB == 20.0
    assert fp32(planned(network((19.0, 100), (40.0, 10_000)), default)) == [0]
    assert fp32(planned(net, default)) == [0, 1]
    assert fp32(planned(network((21.0, 10_000), (21.0, 100), (40.0, 10_000)), default)) == [1]


def test_silent_layers_stay_int8() -> None:
    assert fp32(planned(network((math.inf, 10), (5.0, 10)), min_sqnr(90.0))) == [1]


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


def test_a_sum_of_int8_and_fp32_stays_int8() -> None:
    sensitivity, graph = network((10.0, 100), (30.0, 100), (40.0, 0))
    graph[1] = LayerNode("layer1", "Conv", True, 100)
    graph[2] = LayerNode("layer2", "Add", True, 0, ("layer0", "layer1"))
    assert fp32(make_plan(sensitivity, graph, fp32_layers(1), policy_name="test")) == [0]


def test_the_list_must_be_of_the_graph() -> None:
    with pytest.raises(PlanError, match="not of this model"):
        make_plan(NET[0], NET[1][:2], all_int8, policy_name="test")


def test_plans_are_deterministic_and_load_again() -> None:
    plan = planned(NET, default)
    assert (
        planned((NET[0].sorted_by(Metric.MSE).sorted_by(Metric.LOCAL_SQNR), NET[1]), default).to_yaml()
        == plan.to_yaml()
    )
    assert PrecisionPlan.from_yaml(plan.to_yaml()).fitted_to(NET[1], model="m") == plan
