"""Run 1 gives the profile that NumPy gives, however often the device's counters are drained."""

from __future__ import annotations

from functools import reduce

import numpy as np
import onnx
import pytest

from quantune_mlir.backend import workers
from quantune_mlir.errors import DataError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity import calibration, measured_runs
from quantune_mlir.sensitivity.calibration import Calibrator
from tests.onnx_models import build_model


@pytest.fixture
def model(tmp_path) -> Model:
    nodes = [
        onnx.helper.make_node("Neg", ["x"], ["n"], name="negative"),
        onnx.helper.make_node("Add", ["x", "y"], ["s"], name="sum"),
        onnx.helper.make_node("Concat", ["n", "s"], ["c"], name="both", axis=1),
    ]
    inputs = {"x": np.zeros((1, 40), np.float32), "y": np.zeros((1, 1), np.float32)}
    onnx.save(build_model(nodes, inputs, {}, ["c"]), tmp_path / "model.onnx")
    return Model.load(tmp_path / "model.onnx")


def samples(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(count)
    x, y = rng.standard_normal((count, 40)), 5 * rng.standard_normal((count, 1))
    return {"x": x.astype(np.float32), "y": y.astype(np.float32)}


def by_run(values: np.ndarray) -> Histogram:
    return reduce(Histogram.merge, map(Histogram.of, values))


@pytest.mark.parametrize("counter_limit", [2**32 - 1, 40, 85, 280, 281])
def test_profile_is_exact_whenever_counters_are_drained(model, monkeypatch, counter_limit) -> None:
    monkeypatch.setattr(calibration, "_COUNTER_LIMIT", counter_limit)
    monkeypatch.setattr(workers, "processors", lambda: 1)
    data = samples(7)
    calibrator = Calibrator(model, load_target("host"))
    drains: list[int] = []
    drained = measured_runs.drained
    monkeypatch.setattr(measured_runs, "drained", lambda *state: drains.append(1) or drained(*state))
    profile = calibrator.run(SampleSet.open(data, model.inputs))
    assert len(drains) == -(-7 // (counter_limit // 40))
    expected = {"%x": data["x"], "%y": data["y"], "negative": -data["x"], "sum": data["x"] + data["y"]}
    assert list(profile) == list(expected)
    assert profile.samples == 7
    for name, values in expected.items():
        assert profile[name] == by_run(values), name


def test_a_second_run_starts_afresh(model) -> None:
    calibrator = Calibrator(model, load_target("host"))
    wide, narrow = samples(5), {name: 0.01 * array for name, array in samples(6).items()}
    calibrator.run(SampleSet.open(wide, model.inputs))
    profile = calibrator.run(SampleSet.open(narrow, model.inputs))
    assert profile["%x"] == by_run(narrow["x"])


def test_what_becomes_infinite_is_named(model) -> None:
    data = samples(3)
    data["x"][1, 7] = data["y"][1, 0] = np.finfo(np.float32).max
    with pytest.raises(DataError, match="NaN or Inf at sample 1") as caught:
        Calibrator(model, load_target("host")).run(SampleSet.open(data, model.inputs))
    assert caught.value.where == "tensor 'sum'"


def test_a_run_after_one_that_failed_starts_afresh(model) -> None:
    calibrator = Calibrator(model, load_target("host"))
    bad, good = samples(3), samples(4)
    bad["x"][1, 7] = bad["y"][1, 0] = np.finfo(np.float32).max
    with pytest.raises(DataError):
        calibrator.run(SampleSet.open(bad, model.inputs))
    profile = calibrator.run(SampleSet.open(good, model.inputs))
    assert profile["sum"] == by_run(good["x"] + good["y"])
