"""What the repairs win on a network made to need them.

Batch norm, once folded, leaves channels of very different scales that matter alike. So it is here: between the layers
of a network whose channels are alike, random scales are hidden, which the next layer takes back. The inputs' mean is
not 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.text import module_text
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import INT8
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.workflow.inference_runs import InferenceRuns, analyze
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import DEFAULT_POLICY
from quantune_mlir.workflow.progress import SILENT, Stopwatch
from quantune_mlir.workflow.quantization import Quantization
from quantune_mlir.workflow.rewriting import PlanRewriter
from quantune_mlir.workflow.summary import summarize
from tests.onnx_models import build_model

CHANNELS = 16
INT8 = PrecisionPlan(format=1, default=INT8)
SAMPLES = {"x": np.random.default_rng(1).uniform(0, 2, (24, 3, 8, 8)).astype(np.float32)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    rng = np.random.default_rng(7)
    first, second = np.exp(rng.normal(0, 1.5, (2, CHANNELS)))
    constants = {
        "w0": rng.standard_normal((CHANNELS, 3, 3, 3)) / 5 * first[:, None, None, None],
        "b0": rng.standard_normal(CHANNELS) * first,
        "w1": rng.standard_normal((CHANNELS, 1, 3, 3)) / 3 * (second / first)[:, None, None, None],
        "b1": rng.standard_normal(CHANNELS) * second,
        "w2": rng.standard_normal((6, CHANNELS, 1, 1)) / 4 / second[None, :, None, None],
        "b2": rng.standard_normal(6),
    }
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["x", "w0", "b0"], ["c0"], name="conv", pads=[1, 1, 1, 1]),
        make("Relu", ["c0"], ["r0"], name="conv/relu"),
        make("Conv", ["r0", "w1", "b1"], ["c1"], name="depthwise", group=CHANNELS),
        make("Relu", ["c1"], ["r1"], name="depthwise/relu"),
        make("Conv", ["r1", "w2", "b2"], ["y"], name="pointwise"),
    ]
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    floats = {name: array.astype(np.float32) for name, array in constants.items()}
    onnx.save(build_model(nodes, {"x": SAMPLES["x"][:1]}, floats, ["y"]), path)
    return Model.load(path)


@pytest.fixture(scope="module")
def samples(model: Model) -> SampleSet:
    return SampleSet.open(SAMPLES, model.inputs)


@pytest.fixture(scope="module")
def profile(model: Model, samples: SampleSet) -> Profile:
    return Calibrator(model, load_target("host")).run(samples)


@pytest.fixture(scope="module")
def fp32(model: Model) -> np.ndarray:
    return outputs(Program(compile_module(model.module, load_target("host"))))


def outputs(program: Program) -> np.ndarray:
    """float64[samples, channels, elements]."""
    found = np.stack([program(image[None])[0] for image in SAMPLES["x"]]).astype(np.float64)
    return found.reshape(len(found), 6, -1)


def int8(model: Model, profile: Profile, **options: object) -> np.ndarray:
    mixed = PlanRewriter(model, profile, QuantizeOptions(**options)).rewrite(INT8)  # type: ignore[arg-type]
    return outputs(Program(compile_module(mixed.module, load_target("host"))))


def sqnr_db(reference: np.ndarray, candidate: np.ndarray) -> float:
    return float(10 * np.log10((reference**2).sum() / ((reference - candidate) ** 2).sum()))


def test_equalization_helps_one_scale_per_tensor(model: Model, profile: Profile, fp32: np.ndarray) -> None:
    plain = int8(model, profile, weights="per-tensor", equalize=False)
    equalized = int8(model, profile, weights="per-tensor")
    assert sqnr_db(fp32, equalized) > sqnr_db(fp32, plain) + 6


@pytest.mark.parametrize(("weights", "left"), [("per-channel", 0.8), ("per-tensor", 0.4)])
def test_bias_correction_shrinks_the_mean_error(
    model: Model, profile: Profile, fp32: np.ndarray, weights: str, left: float
) -> None:
    def mean_error(correct_bias: bool) -> float:
        """Root mean square, over the channels, of what int8 adds on average."""
        error = int8(model, profile, weights=weights, equalize=False, correct_bias=correct_bias) - fp32
        return float(np.sqrt((error.mean(axis=(0, 2)) ** 2).mean()))

    assert mean_error(True) < left * mean_error(False)


def test_run_2_measures_what_is_repaired(model: Model, profile: Profile, samples: SampleSet) -> None:
    def noise(**options: object) -> float:
        chosen = QuantizeOptions(weights="per-tensor", **options)  # type: ignore[arg-type]
        found = analyze(model, samples, chosen, Stopwatch(SILENT), profile)
        sensitivity, runs = found.sensitivity, found.runs
        assert runs == InferenceRuns(fp32=0, int8=1, samples=len(samples))
        (last,) = (layer for layer in sensitivity.layers if layer.name == "pointwise")
        assert last.normalized_mse is not None
        return last.normalized_mse

    assert noise() < 0.25 * noise(equalize=False, correct_bias=False)


def test_the_pipeline_makes_the_same_module(model: Model, profile: Profile, tmp_path: Path) -> None:
    options = QuantizeOptions(weights="per-tensor", requantize="integer")
    expected = module_text(PlanRewriter(model, profile, options).rewrite(INT8).module, generic=True)
    profile.save(tmp_path / "profile.npz")
    (tmp_path / "plan.yaml").write_text(INT8.to_yaml())
    given = {"weights": "per-tensor", "requantize": "integer", "equalize": "true"}
    of_files = model.after("quantize", profile=str(tmp_path / "profile.npz"), plan=str(tmp_path / "plan.yaml"), **given)
    of_objects = model.after("quantize", profile=profile, plan=INT8, **given)
    assert module_text(of_files.module, generic=True) == expected
    assert module_text(of_objects.module, generic=True) == expected
    assert "quantune.extremes" not in expected and "quantune.input_means" not in expected


def test_channel_statistics_merge_exactly(model: Model, profile: Profile) -> None:
    calibrator = Calibrator(model, load_target("host"))
    parts = [
        calibrator.run(SampleSet.open({"x": SAMPLES["x"][part]}, model.inputs)) for part in (slice(0, 5), slice(5, 24))
    ]
    assert Profile.merge(parts[::-1]).to_bytes() == profile.to_bytes()
    assert Profile.from_bytes(profile.to_bytes()) == profile
    means = profile.channels_of("@conv").mean
    np.testing.assert_allclose(means, SAMPLES["x"].mean(axis=(0, 2, 3)), rtol=1e-5)


def test_what_was_repaired_stands_in_the_summary(model: Model, profile: Profile, samples: SampleSet) -> None:
    assert QuantizeOptions(weights="per-tensor").equalizes and not QuantizeOptions().equalizes
    options = QuantizeOptions(equalize=True, correct_bias=False)
    assert QuantizeOptions.from_dict(options.as_dict()) == options
    found = analyze(model, samples, options, Stopwatch(SILENT), profile)
    sensitivity, runs = found.sensitivity, found.runs
    plan = INT8.fitted_to((), model.hash)
    mixed = PlanRewriter(model, profile, options).rewrite(INT8)
    planned = DEFAULT_POLICY.planner(sensitivity, model).given(plan)
    quantization = Quantization(model, options, profile, sensitivity, planned, mixed, {}, runs, {})
    summary = summarize(quantization, source="model.onnx", mixed_bytes=1, seconds={})
    assert summary["repairs"] == {"equalize": True, "correct_bias": False}
    assert summary["options"]["equalize"] is True
