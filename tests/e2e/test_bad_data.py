"""Samples and profiles that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from quantune_mlir.planning.sensitivity import SensitivityList
from tests.e2e.conftest import Quantune, Refused
from tests.e2e.models import conv_relu, images, make_model, save_model, save_samples


class TestData:
    def test_missing(self, refused_early: Refused) -> None:
        assert "absent.npz: cannot be read: No such file" in refused_early(data="absent.npz")

    def test_truncated(self, refused_early: Refused, work: Path) -> None:
        (work / "d.npz").write_bytes((work / "good.npz").read_bytes()[:-20])
        assert "d.npz: the .npz file is truncated" in refused_early(data="d.npz")

    @pytest.mark.parametrize(
        ("arrays", "expected"),
        [
            ({"X": images()}, "rename 'X' to 'x'"),
            ({"pixels": images()}, "no array for the model input 'x'; expected 'x', found 'pixels'"),
            ({"x": images()[:, 0]}, "shape [3, 4, 4]"),
            ({"x": images().transpose(0, 2, 3, 1)}, "shape [3, 4, 4, 2]"),
            ({"x": images().astype(np.float64)}, "is float64, the model takes float32"),
            ({"x": images().astype(np.uint8)}, "is uint8, the model takes float32"),
            ({"x": images()[:0]}, "0 samples"),
            ({"x": images(), "labels": np.zeros(2, np.int64)}, "array 'labels' has shape [2], but there are 3"),
        ],
    )
    def test_does_not_fit(
        self, refused_early: Refused, work: Path, arrays: dict[str, np.ndarray], expected: str
    ) -> None:
        save_samples(work / "d.npz", **arrays)
        message = refused_early(data="d.npz")
        assert expected in message and "d.npz" in message and "remedy: " in message

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_nan(self, refused_early: Refused, work: Path, value: float) -> None:
        samples = images(7)
        samples[5, 1, 2, 3] = value
        save_samples(work / "d.npz", x=samples)
        assert "d.npz: array 'x' holds NaN or Inf in sample 5" in refused_early(data="d.npz")

    @pytest.mark.parametrize("count", [0, -1])
    def test_no_samples_asked_for(self, refused_early: Refused, count: int) -> None:
        assert "--samples" in refused_early("--samples", count)


@pytest.mark.parametrize(("op", "bad"), [("Log", 0.0), ("Sqrt", -1.0)])
def test_activations_become_nan(refused: Refused, work: Path, op: str, bad: float) -> None:
    nodes = [
        helper.make_node(op, ["x"], ["l"], name="breaks/here"),
        helper.make_node("Relu", ["l"], ["y"], name="relu"),
    ]
    save_model(make_model(nodes, output="y"), work / "m.onnx")
    samples = images(9) + 1
    samples[6, 1, 0, 0] = bad
    save_samples(work / "d.npz", x=samples)
    message = refused("quantize", "m.onnx", "--calibration", "d.npz", "--output", "out")
    assert "tensor 'breaks/here': the fp32 model yields NaN or Inf at sample 6" in message
    assert sorted(p.name for p in work.iterdir()) == ["d.npz", "good.npz", "good.onnx", "m.onnx"]


def test_constant_zero_activations_work(quantune: Quantune, work: Path) -> None:
    save_samples(work / "d.npz", x=np.zeros((3, 2, 4, 4), np.float32))
    outcome = quantune("quantize", "good.onnx", "--calibration", "d.npz", "--output", "out", "-v")
    assert outcome.status == 0, outcome.stderr
    assert "nan" not in outcome.stdout.lower()
    assert [line.split().count("zero") for line in outcome.stdout.splitlines() if line.startswith("conv ")] == [1]
    layers = SensitivityList.load(work / "out" / "sensitivity.yaml").layers
    assert [(layer.name, layer.activation_sqnr_db, layer.mse) for layer in layers] == [
        ("conv", None, 0.0),
        ("relu", None, 0.0),
    ]
    assert "NaN" not in (work / "out" / "summary.json").read_text()


class TestProfile:
    def test_not_a_profile(self, refused_early: Refused) -> None:
        assert "good.npz: not a readable profile" in refused_early("--profile", "good.npz")

    def test_of_another_model(self, quantune: Quantune, refused: Refused, work: Path) -> None:
        made = quantune("profile", "make", "good.onnx", "--calibration", "good.npz", "-o", "p.npz")
        assert made.status == 0, made.stderr
        assert made.stdout == "p.npz: 2 tensors, 3 samples\n"
        weight = numpy_helper.from_array(np.ones((3, 2, 3, 3), np.float32), "w")
        save_model(conv_relu(weight=weight), work / "other.onnx")
        arguments = ("other.onnx", "--calibration", "good.npz", "--profile", "p.npz")
        assert "the profile is of another model" in refused("analyze", *arguments)
