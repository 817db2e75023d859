"""Plans without floating point: layers that int8 would hurt have 16 bits, and every number is an integer."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantune_mlir.errors import ModelError, PlanError
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8, INT16, INT16X16
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.integer_only import require_integer_forms
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import PlanPolicy
from quantune_mlir.workflow.quantization import quantize

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(DATA / "digits.onnx")


def test_sensitive_layers_get_16_bits(model: Model) -> None:
    samples = SampleSet.open(DATA / "digits_calibration.npz", model.inputs, count=8)
    options = QuantizeOptions(integer_only=True, weights="per-tensor")
    found = quantize(model, samples, options, policy=PlanPolicy(min_sqnr_db=45), verify=True)
    formats = {layer.precision for layer in found.plan.layers}
    assert FP32 not in formats and formats & {INT16, INT16X16}
    assert found.integers is not None
    assert found.verification is not None
    (part,) = found.verification.parts
    assert part.noise.sqnr_db is not None and part.noise.sqnr_db > 42, "int8 throughout has 31 dB"


@pytest.mark.parametrize(("target", "expected"), [("cortex-m4", False), ("riscv32imc", True), ("riscv32imac", True)])
def test_integers_are_the_default_where_there_are_no_floats(target: str, expected: bool) -> None:
    assert QuantizeOptions(target=target).is_integer_only is expected
    assert not QuantizeOptions(target=target, integer_only=False).is_integer_only
    assert not QuantizeOptions(target=target, requantize="float").is_integer_only


def test_what_asks_for_floating_point_is_refused() -> None:
    with pytest.raises(PlanError, match="asks for fp32"):
        PlanPolicy(keep_fp32="stem").in_integers()
    with pytest.raises(PlanError, match="asks for fp32"):
        PlanPolicy(formats=("int8", "int16", "fp32")).in_integers()
    with pytest.raises(ModelError, match="no integer"):
        QuantizeOptions(integer_only=True, requantize="float")
    assert PlanPolicy().in_integers().known_formats == (INT8, INT16, INT16X16)
    assert PlanPolicy(everything="int16").in_integers().known_formats == (INT16, FP32)


@pytest.mark.parametrize("formats", [("int8",), ("fp32", "int8"), ("int8", "int8"), ("int8", "int3")])
def test_formats_that_are_no_choice_are_refused(formats: tuple[str, ...]) -> None:
    with pytest.raises(PlanError, match="format"):
        PlanPolicy(formats=formats)


def test_a_model_with_integer_forms_passes(model: Model) -> None:
    require_integer_forms(model)
