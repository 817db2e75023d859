"""A plan is measured, and made again where a part is below what the policy asks for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.numerics.parts import Part, PartNoise, relative_error
from quantune_mlir.planning.budget import Budget
from quantune_mlir.planning.graph import LayerNode
from quantune_mlir.planning.noise_model import NoiseModel, Powers
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planned, Planner
from quantune_mlir.planning.policies import all_int8, default, within
from quantune_mlir.planning.sensitivity import LayerSensitivity, SensitivityList
from quantune_mlir.workflow.verification import Verified, VerifiedPart
from quantune_mlir.workflow.verified_plan import MOST_REPAIRS, VerifiedPlan, beyond_samples, verified_plan

NAMES = ("front", "body", "tail")
PART = Part(0, "y", (1, 4))


def planner(*noise: float) -> Planner:
    layers = [
        LayerSensitivity(
            name=name,
            op="Conv",
            index=i,
            quantizable=True,
            macs=100,
            weight_bytes=0,
            elements=1,
            output_normalized_mse=predicted,
            alone_normalized_mse=predicted,
            own_noise=(predicted,),
        )
        for i, (name, predicted) in enumerate(zip(NAMES, noise, strict=True))
    ]
    graph = [LayerNode(name, "Conv", True, 100, NAMES[i - 1 : i]) for i, name in enumerate(NAMES)]
    return Planner(SensitivityList.of(layers, parts=("tail",), model="m", samples=1), graph)


def make(of: Planner) -> Planned:
    return of.plan(default, "default")


@dataclass
class Device:
    """Measures plans whose layers bring this noise in truth."""

    truth: dict[str, float]
    plans: list[list[str]] = field(default_factory=list)
    grown: list[list[str]] = field(default_factory=list)

    def __call__(self, planned: Planned, noise: NoiseModel) -> VerifiedPlan:
        plan = planned.plan
        self.plans.append(list(plan.integer_layers))
        energy = ErrorEnergy(1.0, sum(self.truth[name] for name in plan.integer_layers), 4.0)
        measured = PartNoise(PART, energy, energy)
        verified = Verified(b"", None, [measured])
        return VerifiedPlan(planned, None, verified, (VerifiedPart(measured, noise.sqnr_db(plan.integer_layers)),))  # type: ignore[arg-type]

    def measured(self, found: VerifiedPlan, noise: NoiseModel) -> Powers:
        return np.array([found.parts[0].counting])

    def grow(self, plan: PrecisionPlan) -> dict[str, Powers]:
        self.grown.append(list(plan.integer_layers))
        return {name: np.array([self.truth[name]]) for name in plan.integer_layers}


def throughout(of: Planner) -> Planned:
    return of.plan(all_int8, "default")


def verified(device: Device, of: Planner, floor_db: float | None = 20.0) -> VerifiedPlan:
    return verified_plan(make(of), of, make, device, device.grow, floor_db, throughout)  # type: ignore[arg-type]


def test_a_plan_that_holds_is_measured_once() -> None:
    device = Device(dict.fromkeys(NAMES, 1e-4))
    found = verified(device, planner(1e-4, 1e-4, 1e-4))
    assert device.plans == [list(NAMES)] and device.grown == []
    assert found.worst_db == pytest.approx(35.2, abs=0.1)
    assert found.parts[0].predicted_db == pytest.approx(35.2, abs=0.1)


def test_who_makes_the_noise_becomes_fp32() -> None:
    device = Device({"front": 0.1, "body": 1e-4, "tail": 1e-4})
    found = verified(device, planner(1e-4, 1e-4, 1e-4))
    assert device.plans == [list(NAMES), ["body", "tail"]]
    assert list(found.plan.integer_layers) == ["body", "tail"] and found.worst_db > 36


def test_without_a_floor_whatever_comes_is_taken() -> None:
    device = Device({"front": 0.1, "body": 1e-4, "tail": 1e-4})
    found = verified(device, planner(1e-4, 1e-4, 1e-4), floor_db=None)
    assert device.plans == [list(NAMES)] and found.worst_db == pytest.approx(10.0, abs=0.1)


def test_the_best_is_taken_if_none_holds() -> None:
    """What grows tells the wrong layer each time."""

    class Misled(Device):
        def grow(self, plan: PrecisionPlan) -> dict[str, Powers]:
            innocent = [name for name in plan.integer_layers if name != "front"]
            return {name: np.array([0.1 if name == innocent[0] else 1e-4]) for name in innocent}

    device = Misled({"front": 0.1, "body": 1e-4, "tail": 0.05})
    found = verified(device, planner(1e-4, 1e-4, 1e-4))
    assert 1 < len(device.plans) <= 1 + MOST_REPAIRS
    assert found.worst_db == max(-10 * np.log10(sum(device.truth[n] for n in plan)) for plan in device.plans)


def test_an_order_does_not_count() -> None:
    energy = ErrorEnergy(1.0, 0.5, 4.0)
    noises = (
        PartNoise(replace(PART, reading="ranked"), energy, energy),
        PartNoise(PART, *[ErrorEnergy(1.0, 1e-3, 4.0)] * 2),
    )
    planned = make(planner(1e-4, 1e-4, 1e-4))
    plan = VerifiedPlan(planned, None, Verified(b"", None, list(noises)), tuple(map(VerifiedPart, noises)))  # type: ignore[arg-type]
    assert plan.worst_db == pytest.approx(30.0) and plan.parts_db == [pytest.approx(30.0)]


def test_where_nobody_is_to_blame_all_have_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """25 dB were foreseen and there are 20: the layer with most noise becomes fp32."""
    device = Device({"front": 0.006, "body": 0.003, "tail": 0.001})
    monkeypatch.setattr(device, "grow", lambda plan: {})
    found = verified(device, planner(0.6 * 0.00316, 0.3 * 0.00316, 0.1 * 0.00316), floor_db=21.0)
    assert device.plans[:2] == [list(NAMES), ["body", "tail"]] and found.worst_db > 23


def test_noise_that_nothing_explains_is_believed_where_nothing_else_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """35 dB were foreseen and there are 10."""
    device = Device({"front": 1e-4, "body": 1e-4, "tail": 0.1})
    monkeypatch.setattr(device, "grow", lambda plan: {})
    assert verified(device, planner(1e-4, 1e-4, 2e-4)).worst_db > 20


def test_noise_of_few_samples_counts_for_more() -> None:
    """One sample of ten has all of it: two standard errors more are three times as much, less 2.5 dB."""
    runs = np.zeros(10)
    runs[3] = 1e-3
    energy = ErrorEnergy(1.0, 1e-3, 40.0)
    spread = relative_error(np.full(10, 0.1), runs)
    assert spread == pytest.approx(1.0, rel=0.01)
    assert beyond_samples(PartNoise(PART, energy, energy, spread=spread)) == pytest.approx(3 / 10**0.25, rel=0.01)
    even = PartNoise(PART, energy, energy, spread=relative_error(np.full(10, 0.1), np.linspace(0.9e-4, 1.1e-4, 10)))
    assert beyond_samples(even) == beyond_samples(PartNoise(PART, energy, energy)) == 1.0


def test_a_dear_plan_is_made_again_if_another_has_less_noise_than_was_foreseen() -> None:
    """0 dB were foreseen of int8 throughout, and there are 30: a thousandth of the noise."""
    device = Device({"front": 5e-4, "body": 3e-4, "tail": 2e-4})
    found = verified(device, planner(0.5, 0.3, 0.2))
    assert device.plans == [list(NAMES), list(NAMES)] and found.worst_db == pytest.approx(30.0, abs=0.1)
    assert found.parts[0].predicted_db == pytest.approx(30.0, abs=0.1)


def test_a_dear_plan_stays_if_others_are_as_bad_as_was_foreseen() -> None:
    truth = {"front": 0.5, "body": 0.3, "tail": 0.2}
    device = Device(truth)
    found = verified(device, planner(*truth.values()))
    assert device.plans == [list(NAMES), []] and found.plan.integer_layers == {}


def test_a_dear_plan_is_returned_to_if_hopes_were_in_vain() -> None:
    """The more layers are int8, the less their errors have in common: the probe is good, and no other plan is."""

    class Deceiving(Device):
        def __call__(self, planned: Planned, noise: NoiseModel) -> VerifiedPlan:
            probed = not self.plans
            self.truth = dict.fromkeys(NAMES, 1e-4 if probed else 0.4)
            return super().__call__(planned, noise)

    device = Deceiving({})
    found = verified(device, planner(0.5, 0.3, 0.2))
    assert device.plans[-1] == [] and found.plan.integer_layers == {}


def within_20_db(of: Planner, device: Device, *, tight: bool) -> VerifiedPlan:
    budget = within(Budget(min_sqnr_db=20.0))
    return verified_plan(
        of.plan(budget, "b"),
        of,
        lambda of: of.plan(budget, "b"),
        device,  # type: ignore[arg-type]
        device.grow,
        20.0,
        tight=tight,
    )


@pytest.mark.parametrize(("tight", "int8"), [(False, ["body", "tail"]), (True, [*NAMES])])
def test_a_plan_that_has_more_than_was_asked_for_is_made_again(tight: bool, int8: list[str]) -> None:
    """10 dB more than was foreseen: the front may be int8 as well within 20 dB."""
    of, device = planner(0.09, 0.004, 0.004), Device({"front": 5e-3, "body": 4e-4, "tail": 4e-4})
    found = within_20_db(of, device, tight=tight)
    assert list(found.plan.integer_layers) == int8 and found.worst_db >= 20


def test_hopes_that_were_too_high_are_lowered_by_what_came_of_them() -> None:
    """The body has a quarter of what was foreseen, and so has the tail, but not the front."""
    of, device = planner(0.02, 0.006, 0.0055), Device({"front": 0.024, "body": 0.0015, "tail": 0.0014})
    found = within_20_db(of, device, tight=True)
    assert len(device.plans[-3]) == 1 and device.plans[-2:] == [[*NAMES], ["body", "tail"]]
    assert list(found.plan.integer_layers) == ["body", "tail"] and device.grown == []


def test_int8_throughout_is_taken_where_fp32_makes_it_worse() -> None:
    """The body takes off what the front adds, but nobody foresees it."""

    class Cancelling(Device):
        def __call__(self, planned: Planned, noise: NoiseModel) -> VerifiedPlan:
            self.truth["body"] = -9e-3 if "front" in planned.plan.integer_layers else 1.05e-2
            return super().__call__(planned, noise)

    device = Cancelling({"front": 9.1e-3, "body": 0.0, "tail": 1e-5})
    found = verified(device, planner(9e-3, 1e-5, 1e-5))
    assert device.plans == [["body", "tail"], list(NAMES)]
    assert list(found.plan.integer_layers) == list(NAMES) and found.worst_db > 29


def test_a_plan_that_is_no_worse_than_int8_is_not_compared_with_it() -> None:
    device = Device({"front": 9e-3, "body": 1e-5, "tail": 1e-5})
    assert list(verified(device, planner(9e-3, 1e-5, 1e-5)).plan.integer_layers) == ["body", "tail"]
    assert device.plans == [["body", "tail"]]
