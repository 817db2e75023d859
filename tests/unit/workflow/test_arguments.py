"""Arguments of another kind: what a user of Python gives by mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import quantune_mlir as qt
from quantune_mlir.errors import ArgumentError
from quantune_mlir.hardware.targets import load_target

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(
    ("argument", "given", "wanted"),
    [
        ("model", "digits.onnx", "Model.load"),
        ("samples", "digits.npz", "SampleSet.open"),
        ("samples", {"input": [1.0]}, "SampleSet.open"),
        ("options", {"samples": 3}, "QuantizeOptions"),
        ("policy", "int8", "PlanPolicy"),
        ("plan", "plan.yaml", "PrecisionPlan.load"),
        ("profile", "profile.npz", "Profile.load"),
        ("validation", "digits.npz", "SampleSet.open"),
        ("scorer", len, "Scorer.load"),
    ],
)
def test_quantize_tells_what_it_takes(argument: str, given: Any, wanted: str) -> None:
    model = qt.Model.load(DATA / "digits.onnx")
    samples = qt.SampleSet.open(DATA / "digits_calibration.npz", model.inputs)
    arguments: dict[str, Any] = {"model": model, "samples": samples, argument: given}
    with pytest.raises(ArgumentError, match=rf"is needed here, not \w+\nremedy: make it with quantune_mlir\.{wanted}"):
        qt.quantize(**arguments)


def test_others_tell_what_they_take() -> None:
    model: Any = "digits.onnx"
    options: Any = None
    target = load_target("host")
    for call in (
        lambda: qt.Calibrator(model, target),
        lambda: qt.Analyzer(model, options, target),
        lambda: qt.save(model, "out", source="digits.onnx"),
        lambda: qt.SampleSet.open(DATA / "digits_calibration.npz", model),
    ):
        with pytest.raises(ArgumentError, match=r"needed here.*\nremedy: "):
            call()
