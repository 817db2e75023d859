"""The sample detector of `make demo` needs mixed precision, and gets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.evaluation import evaluate
from quantune_mlir.workflow.scoring import Scorer
from quantune_mlir.workflow.variants import Variants
from tests.e2e.conftest import DIGITS, Quantune
from tools.detector import detections

pytestmark = pytest.mark.slow


def test_int8_loses_digits_that_mixed_precision_finds(quantune: Quantune, tmp_path: Path) -> None:
    model, calibration = DIGITS / "detector.onnx", DIGITS / "detector_calibration.npz"
    made = quantune("quantize", model, "--calibration", calibration, "--output", tmp_path / "out")
    assert made.status == 0, made.stderr
    variants = Variants(Artifacts.open(tmp_path / "out"))
    samples = SampleSet.open(DIGITS / "detector_test.npz", variants.model.inputs)
    scorer = Scorer.load(Path(detections.__file__))
    scores = evaluate(variants, samples, ("fp32", "int8", "mixed"), scorer=scorer).scores
    f1 = {variant: scores[variant]["score"] for variant in scores}
    assert f1["fp32"] > 0.9
    assert f1["int8"] < f1["fp32"] - 0.2
    assert f1["mixed"] > f1["fp32"] - 0.02
