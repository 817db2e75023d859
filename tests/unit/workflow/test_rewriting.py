"""One rewriter for all plans of a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.text import module_text
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.plan import ALL_INT8, LayerPlan, PrecisionPlan
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.options import DEFAULTS
from quantune_mlir.workflow.rewriting import PlanRewriter

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(DATA / "digits.onnx")


@pytest.fixture(scope="module")
def profile(model: Model) -> Profile:
    samples = SampleSet.open(DATA / "digits_calibration.npz", model.inputs, count=4)
    return Calibrator(model, load_target("host")).run(samples)


def planned(model: Model, *in_fp32: str) -> PrecisionPlan:
    layers = tuple(
        LayerPlan(name=layer.name, precision=FP32 if layer.name in in_fp32 else INT8)
        for layer in model.layers
        if layer.decides
    )
    return PrecisionPlan(format=1, layers=layers)


def test_plans_that_agree_share_a_module(model: Model, profile: Profile) -> None:
    rewriter = PlanRewriter(model, profile, DEFAULTS)
    everything = rewriter.rewrite(ALL_INT8)
    assert rewriter.rewrite(planned(model)) is everything
    assert rewriter.rewrite(planned(model, "head/conv")) is not everything


def test_a_plan_leaves_nothing_behind_for_the_next(model: Model, profile: Profile) -> None:
    used, fresh = PlanRewriter(model, profile, DEFAULTS), PlanRewriter(model, profile, DEFAULTS)
    mixed = used.rewrite(planned(model, "head/conv"))
    assert mixed.precision["head/conv"] == "fp32"
    assert module_text(used.rewrite(ALL_INT8).module) == module_text(fresh.rewrite(ALL_INT8).module)
