"""What plans take of a device's memory, and which one is taken where there is little."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantune_mlir.errors import BudgetError
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8, INT16
from quantune_mlir.planning.budget import Budget
from quantune_mlir.planning.plan import ALL_INT8, PrecisionPlan
from quantune_mlir.planning.planner import Planned, Planner
from quantune_mlir.planning.policies import all_fp32 as all_in_fp32
from quantune_mlir.planning.sensitivity import LayerSensitivity, SensitivityList
from quantune_mlir.workflow.plan_memory import CODE_BYTES, MemoryLimits, PlanMemory, within_memory
from quantune_mlir.workflow.policy import PlanPolicy

DATA = Path(__file__).parents[2] / "data"
ALL_FP32 = PrecisionPlan(format=1, default=FP32)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(DATA / "digits.onnx")


@pytest.fixture
def planner(model: Model) -> Planner:
    layers = (
        LayerSensitivity(
            name=layer.name,
            op=layer.op_type,
            index=index,
            quantizable=layer.quantizable,
            macs=layer.macs,
            weight_bytes=0,
            elements=0,
            output_normalized_mse=1e-3,
        )
        for index, layer in enumerate(model.layers)
    )
    return PlanPolicy().planner(SensitivityList.of(layers, model=model.hash, samples=1), model)


def test_weights_and_tensors_are_counted_in_their_formats(model: Model) -> None:
    weights = sum(layer.weight_elements for layer in model.layers)
    int8, fp32 = PlanMemory.of(model, ALL_INT8), PlanMemory.of(model, ALL_FP32)
    assert (int8.flash, fp32.flash) == (CODE_BYTES + weights, CODE_BYTES + 4 * weights)
    integers = PlanMemory.of(model, ALL_INT8, integer_only=True)
    int16 = PlanMemory.of(model, PrecisionPlan(format=1, default=INT16), integer_only=True)
    assert integers.ram < int8.ram < fp32.ram
    assert 4 * integers.ram == 2 * int16.ram == fp32.ram
    assert "KiB" in int8.alive and "KiB" in int8.weights


def test_the_plan_that_fits_is_taken(model: Model, planner: Planner) -> None:
    def all_fp32(planner: Planner) -> Planned:
        return planner.plan(all_in_fp32, "all fp32")

    def chosen(**limits: int) -> Planned:
        limited = within_memory(all_fp32, Budget(), model, MemoryLimits(**limits), integer_only=False)
        return limited(planner)

    fp32, int8 = (PlanMemory.of(model, plan) for plan in (ALL_FP32, ALL_INT8))
    assert chosen(flash=fp32.flash, ram=fp32.ram).plan.policy == "all fp32"
    between = (fp32.flash + int8.flash) // 2
    found = chosen(flash=between).plan
    assert found.policy.endswith("in memory")
    assert {layer.precision for layer in found.layers} >= {INT8, FP32}
    assert PlanMemory.of(model, found).flash <= between
    with pytest.raises(BudgetError, match=r"no plan fits.*KiB of RAM, most of it made by '"):
        chosen(ram=int8.ram // 2)
    assert PlanMemory.of(model, chosen(ram=int8.ram - 1).plan) == int8, "estimates may be off: the bundle will tell"
