from __future__ import annotations

from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.planning.costs import Cost, CostModel
from quantune_mlir.planning.front import Point, Problem, walk
from quantune_mlir.planning.noise_model import NoiseModel
from quantune_mlir.planning.trimming import trimmed
from tests.unit.planning.problems import layer

LAYERS = [layer(0, 0.003), layer(1, 0.05), layer(2, 0.004)]


def problem(*extra: float) -> Problem:
    """What each layer takes longer in fp32."""
    costs = {
        each.name: {INT8: Cost(10.0, 1.0), FP32: Cost(10.0 + time, 4.0)}
        for each, time in zip(LAYERS, extra, strict=True)
    }
    return Problem(LAYERS, NoiseModel.additive(LAYERS), CostModel(costs, (), Cost(), "cycles"))


def taken(of: Problem, most_noise: float) -> list[str]:
    """The layers in fp32 of the plan that had all three, after it was trimmed."""
    trail = walk(of, LAYERS, alone=True)
    found = trimmed(of, Point(trail, 3), most_noise)
    assert found.noise <= most_noise
    assert found.cost.time == of.costs.total(dict.fromkeys([each.name for each in found.fp32], FP32)).time
    return [each.name for each in found.fp32]


def test_what_the_noise_does_not_need_goes_back_the_dearest_first() -> None:
    assert taken(problem(5.0, 5.0, 9.0), 0.005) == ["layer0", "layer1"]
    assert taken(problem(5.0, 5.0, 9.0), 0.01) == ["layer1"]
    assert taken(problem(9.0, 5.0, 5.0), 0.005) == ["layer1", "layer2"]


def test_what_saves_most_for_its_noise_goes_back_before_what_saves_most() -> None:
    of = problem(5.0, 6.0, 4.0)
    most = 0.0505
    by_time, by_noise = (
        trimmed(of, Point(walk(of, LAYERS, alone=True), 3), most, by_noise=by_noise) for by_noise in (False, True)
    )
    assert [each.name for each in by_time.fp32] == ["layer0", "layer2"]
    assert [each.name for each in by_noise.fp32] == ["layer1"] and by_noise.cost.time < by_time.cost.time


def test_what_is_quicker_in_fp32_stays() -> None:
    assert taken(problem(-1.0, 5.0, 0.0), 0.01) == ["layer0", "layer1", "layer2"]
