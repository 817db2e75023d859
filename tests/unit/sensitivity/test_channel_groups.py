"""An output whose channels have different scales is predicted at the worst group of them, as it is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.policy import PlanPolicy
from quantune_mlir.workflow.quantization import quantize
from tests.onnx_models import build_model


@pytest.mark.slow
def test_a_quiet_channel_is_judged_by_its_own_scale(tmp_path: Path) -> None:
    """It is the difference of two features that are almost alike, so that their rounding is as loud as it is."""
    draw = np.random.default_rng(5)
    first = draw.standard_normal((8, 3, 3, 3)).astype(np.float32) / 5
    first[1] = first[0] + 0.02 * draw.standard_normal((3, 3, 3)).astype(np.float32)
    last = draw.standard_normal((4, 8, 1, 1)).astype(np.float32)
    last[3] = 0
    last[3, :2, 0, 0] = 1, -1
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], name="features", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Conv", ["b", "w2"], ["y"], name="head"),
    ]
    x = draw.standard_normal((8, 3, 12, 12)).astype(np.float32)
    onnx.save(build_model(nodes, {"x": x[:1]}, {"w1": first, "w2": last}, ["y"]), tmp_path / "model.onnx")
    model = Model.load(tmp_path / "model.onnx")
    found = quantize(model, SampleSet.open({"x": x}, model.inputs), policy=PlanPolicy(everything="int8"))
    assert found.verification is not None
    (part,) = found.verification.parts
    assert part.noise.whole_sqnr_db > part.noise.sqnr_db + 12
    assert part.predicted_db == pytest.approx(part.noise.sqnr_db, abs=2)
