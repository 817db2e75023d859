"""The whole way on the sample network."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from quantune_mlir.backend.program import Program
from quantune_mlir.cli.quantune import main
from quantune_mlir.cli.quantune_opt import main as quantune_opt
from quantune_mlir.mlir.text import module_text
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.schemes import RangeMethod, Scheme
from quantune_mlir.passes.calibrate.shadow_int8 import PROBE
from quantune_mlir.planning.metric import Metric
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.report.summary_file import Summary
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.inference_runs import InferenceRuns
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import PlanPolicy
from quantune_mlir.workflow.quantization import quantize
from quantune_mlir.workflow.rewriting import PlanRewriter
from quantune_mlir.workflow.variants import Variants
from tests.e2e.conftest import DIGITS, Quantune
from tests.e2e.models import conv_relu, dense_layers, images, make_model, save_model, save_samples
from tests.e2e.modules import dot_inputs, operations, tensor_names

MODEL = DIGITS / "digits.onnx"
CALIBRATION = DIGITS / "digits_calibration.npz"
TEST = DIGITS / "digits_test.npz"
SAMPLES = 100
FILES = [
    "config.yaml",
    "fp32.mlir",
    "mixed.mlir",
    "model.vmfb",
    "plan.yaml",
    "profile.npz",
    "report.html",
    "sensitivity.yaml",
    "summary.json",
]
REPRODUCIBLE = ["fp32.mlir", "mixed.mlir", "model.vmfb", "plan.yaml", "profile.npz", "sensitivity.yaml"]
METRICS = {
    "activation_sqnr_db",
    "sqnr_delta_db",
    "local_sqnr_db",
    "mse",
    "normalized_mse",
    "local_normalized_mse",
    "output_normalized_mse",
    "alone_normalized_mse",
    "weight_sqnr_db",
}
VARIANTS = ["fp32", "int8", "mixed"]


def run_main(command: Any, *arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        command([str(argument) for argument in arguments])
    return ended.value.code  # type: ignore[return-value]


@pytest.fixture(scope="module")
def calls() -> Counter[str]:
    """How often each function of a program was called while `digits` was made."""
    return Counter()


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory, calls: Counter[str]) -> Path:
    """The sample network, quantized with the default options."""
    output = tmp_path_factory.mktemp("digits") / "out"
    with pytest.MonkeyPatch.context() as patch:
        call = Program.call

        def counted(self: Program, function: str, *inputs: Any, **options: Any) -> Any:
            calls[function] += 1
            return call(self, function, *inputs, **options)

        patch.setattr(Program, "call", counted)
        assert run_main(main, "quantize", MODEL, "--calibration", CALIBRATION, "--output", output) == 0
    return output


@pytest.fixture(scope="module")
def summary(digits: Path) -> dict[str, Any]:
    return json.loads((digits / "summary.json").read_text())


@pytest.fixture
def quantized(quantune: Quantune, digits: Path, tmp_path: Path) -> Any:
    """Quantizes the sample network once more, after the profile of the first time; the output directory."""

    def run(*options: object) -> Path:
        output = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        outcome = quantune("quantize", MODEL, "--calibration", CALIBRATION, "--output", output, *options)
        assert outcome.status == 0, outcome.stderr
        return output

    return run


def outputs_of(program: Path, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first output of a compiled program."""
    return Program(program)(image)[0].astype(np.float32)


class TestOutputDirectory:
    def test_holds_all_files_and_nothing_else(self, digits: Path) -> None:
        assert sorted(path.name for path in digits.iterdir()) == FILES
        assert sorted(path.name for path in digits.parent.iterdir()) == ["out"]
        assert all(path.stat().st_mode & 0o044 for path in (digits, *digits.iterdir())), "others may read it"

    def test_summary(self, summary: Mapping[str, Any]) -> None:
        assert set(summary["versions"]) >= {"iree-base-compiler", "iree-base-runtime", "numpy", "onnx"}
        assert summary["versions"]["iree-base-compiler"] == "3.13.0"
        assert re.fullmatch("[0-9a-f]{64}", summary["model"]["sha256"]) and summary["model"]["file"] == "digits.onnx"
        assert summary["options"] == QuantizeOptions().as_dict()
        assert summary["requantize"] in ("integer", "float")
        assert summary["inference_runs"] == {"fp32": 1, "int8": 1, "samples": SAMPLES, "int8_samples": 40}
        assert {"run_fp32", "run_int8", "compile_mixed"} <= set(summary["timings_s"])
        assert all(seconds >= 0 for seconds in summary["timings_s"].values())

    def test_summary_of_the_verification(self, summary: Mapping[str, Any]) -> None:
        assert summary["verification"]["samples"] == 40
        (part,) = summary["verification"]["parts"]
        assert (part["name"], part["output"], part["signal"]) == ("logits", "logits", "output")
        assert 20 < part["measured_sqnr_db"] < 80
        assert summary["warnings"] == []

    def test_a_summary_of_before_is_read(self, digits: Path, tmp_path: Path) -> None:
        older = Path(shutil.copytree(digits, tmp_path / "older"))
        summary = json.loads((older / "summary.json").read_text())
        summary["format"] = 1
        del summary["verification"], summary["warnings"]
        (older / "summary.json").write_text(json.dumps(summary))
        assert Variants(Artifacts.open(older)).options == QuantizeOptions()

    def test_summary_of_layers(self, summary: Mapping[str, Any], digits: Path) -> None:
        layers = {layer["name"]: layer for layer in summary["layers"]}
        assert len(layers) == len(summary["layers"]) == 12
        for layer in layers.values():
            assert METRICS | {"op", "precision", "macs", "weight_bytes", "reason"} <= set(layer)
            assert layer["precision"] in ("int8", "fp32") and layer["reason"]
        assert layers["stem/conv"]["macs"] == 16 * 64 * 9
        assert layers["stem/conv"]["weight_bytes"] == 16 * 9 * (1 if layers["stem/conv"]["precision"] == "int8" else 4)
        listed = {layer.name: layer for layer in SensitivityList.load(digits / "sensitivity.yaml").layers}
        assert set(listed) == set(layers)
        assert all(layers[name]["local_sqnr_db"] == layer.local_sqnr_db for name, layer in listed.items())

    def test_summary_of_decisions(self, summary: Mapping[str, Any], digits: Path) -> None:
        plan = PrecisionPlan.load(digits / "plan.yaml")
        layers = {layer["name"]: layer for layer in summary["layers"]}
        assert {name for name, layer in layers.items() if layer["decision"]} == {layer.name for layer in plan.layers}
        stem = layers["stem/conv"]
        assert stem["decision"]["ground"] in ("quiet", "buys", "neighbour") and stem["decision"]["rank"] >= 1
        assert 0 < stem["decision"]["noise_fp32"] <= stem["decision"]["noise_int8"]
        assert 4 * stem["cost"]["int8"]["bytes"] == stem["cost"]["fp32"]["bytes"] == 4 * 9 * 16
        assert stem["cost"]["int8"]["time"] > 0 and stem["cost"]["fp32"]["time"] > 0
        assert stem["inputs"] == ["%input"] and layers["stem/relu"]["inputs"] == ["stem/conv"]
        assert stem["shape"] == [1, 8, 8, 16] and stem["weights"]["channels"] == 16
        other = {name for name, layer in layers.items() if layer["precision"] != stem["precision"]}
        assert layers["stem/relu"]["boundaries"] == ["stem/conv"] * ("stem/relu" in other)

    def test_summary_of_costs_the_front_and_noise(self, summary: Mapping[str, Any]) -> None:
        costs, front = summary["costs"], summary["front"]
        (chosen,) = [point for point in front if point["chosen"]]
        assert {name: chosen[name] for name in ("time", "bytes")} == costs["mixed"]
        assert front[0]["time"] <= chosen["time"] <= costs["fp32"]["time"]
        assert front[-1]["sqnr_db"] == "inf" and front[-1]["options"] == ["--all", "fp32"]
        (predicted,) = summary["predicted"]
        assert predicted["mixed_sqnr_db"] == summary["verification"]["parts"][0]["predicted_sqnr_db"]
        assert summary["command"]["policy"] == []
        ranges = {tensor["name"]: tensor for tensor in summary["tensors"]}
        assert ranges["%input"]["low"] == 0 and ranges["%input"]["high"] == pytest.approx(1, abs=0.01)

    def test_summary_is_read_as_it_was_written(self, summary: Mapping[str, Any], digits: Path) -> None:
        found = Summary.load(digits / "summary.json").model_dump(exclude_unset=True)
        assert json.loads(json.dumps(found, default=list).replace("Infinity", '"inf"')) == summary

    def test_summary_of_totals(self, summary: Mapping[str, Any], digits: Path) -> None:
        totals, layers = summary["totals"], summary["layers"]
        int8 = [layer for layer in layers if layer["precision"] == "int8"]
        assert totals["mixed_program_bytes"] == (digits / "model.vmfb").stat().st_size
        assert totals["fp32_program_bytes"] > 1000
        assert totals["int8_mac_share"] == sum(layer["macs"] for layer in int8) / totals["macs"]
        assert (totals["int8_layers"], totals["layers"]) == (len(int8), len(layers))

    def test_sensitivity_is_sorted_and_finite(self, digits: Path) -> None:
        ranked = SensitivityList.load(digits / "sensitivity.yaml")
        assert ranked == ranked.sorted_by(ranked.metric)
        by_local = ranked.sorted_by(Metric.LOCAL_SQNR).layers
        values = [layer.local_sqnr_db or math.nan for layer in by_local]
        assert values == sorted(values) and 20 < values[0] < values[-1] < 80


class TestReport:
    def test_is_made_again_from_what_the_directory_keeps(
        self, quantune: Quantune, digits: Path, tmp_path: Path
    ) -> None:
        made = quantune("report", digits, "--output", tmp_path / "again.html")
        assert made.status == 0, made.stderr
        assert (tmp_path / "again.html").read_bytes() == (digits / "report.html").read_bytes()

    def test_shows_what_was_measured_since(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(digits, tmp_path / "copy"))
        measured = quantune("evaluate", copy, "--data", TEST, "--json", copy / "evaluation.json")
        assert measured.status == 0 and quantune("report", copy).status == 0
        assert "top-1" in (copy / "report.html").read_text() and "top-1" not in (digits / "report.html").read_text()
        (copy / "bench.json").write_text('{"fp32": 1}')
        refused = quantune("report", copy)
        assert refused.status == 1 and "bench.json: is not what `quantune bench --json` writes" in refused.stderr

    def test_runs_side_by_side(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        other = Path(shutil.copytree(digits, tmp_path / "other"))
        shown = quantune("compare", digits, other, "--html", tmp_path / "page.html")
        assert shown.status == 0 and (tmp_path / "page.html").is_file(), shown.stderr
        lines = shown.stdout.splitlines()
        assert [line.split()[0] for line in lines[2:4]] == ["out", "other"] and "differs" not in shown.stdout
        missing = quantune("compare", digits, tmp_path)
        assert missing.status == 1 and "not an output directory" in missing.stderr

    def test_in_python(self, digits: Path, tmp_path: Path) -> None:
        model = Model.load(MODEL)
        samples = SampleSet.open(CALIBRATION, model.inputs, count=4)
        quantized = quantize(model, samples, plan=PrecisionPlan.load(digits / "plan.yaml"), verify=False)
        assert "multiply-accumulates in int8" in quantized._repr_html_()
        quantized.report(tmp_path / "report.html")
        assert "stem/conv" in (tmp_path / "report.html").read_text()


class TestTwoRuns:
    def test_no_sample_is_run_more_than_twice(self, summary: Mapping[str, Any], calls: Counter[str]) -> None:
        """But for the mixed program, which is verified once over those of run 2."""
        assert calls["main"] == SAMPLES + 20 + summary["verification"]["samples"]
        assert calls[PROBE] == 20

    def test_every_tensor_was_counted_once_per_sample(self, digits: Path) -> None:
        profile = Profile.load(digits / "profile.npz")
        assert profile.samples == SAMPLES
        counts = {name: int(histogram.counts.sum()) / SAMPLES for name, histogram in profile.items()}
        assert counts["%input"] == 8 * 8
        assert counts["stem/relu"] == 16 * 8 * 8
        assert "stem/conv" not in counts, "its clamp folds into it, so it is never int8"
        assert counts["classifier/gemm"] == 10
        ranked = SensitivityList.load(digits / "sensitivity.yaml")
        elements = {layer.name: layer.elements / ranked.samples for layer in ranked.layers}
        assert {name: elements[name] for name in counts if name in elements} == {
            name: count for name, count in counts.items() if name in elements
        }

    def test_again_gives_the_same_bytes(self, digits: Path, quantized: Any) -> None:
        again = quantized()
        assert [n for n in REPRODUCIBLE if (again / n).read_bytes() != (digits / n).read_bytes()] == []

    def test_profiles_of_parts_merge_to_the_profile_of_all(
        self, quantune: Quantune, digits: Path, tmp_path: Path
    ) -> None:
        data = np.load(CALIBRATION)["input"]
        assert len(data) == SAMPLES
        parts: list[Path] = []
        for name, part in (("b", data[61:]), ("a", data[:17]), ("c", data[17:61])):
            np.savez(tmp_path / f"{name}.npz", input=part)
            parts.append(tmp_path / f"{name}.profile.npz")
            made = quantune("profile", "make", MODEL, "--calibration", tmp_path / f"{name}.npz", "-o", parts[-1])
            assert made.status == 0 and made.stdout.endswith(f"{len(part)} samples\n"), made.stderr
        merged = tmp_path / "merged.npz"
        assert quantune("profile", "merge", *parts, "-o", merged).status == 0
        assert merged.read_bytes() == (digits / "profile.npz").read_bytes()
        output = tmp_path / "out"
        arguments = ("--calibration", CALIBRATION, "--profile", merged, "--output", output)
        assert quantune("quantize", MODEL, *arguments).status == 0
        assert [n for n in REPRODUCIBLE if (output / n).read_bytes() != (digits / n).read_bytes()] == []
        runs = json.loads((output / "summary.json").read_text())["inference_runs"]
        assert runs == {"fp32": 0, "int8": 1, "samples": SAMPLES, "int8_samples": 40}

    def test_again_from_the_options_that_were_saved(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        output = tmp_path / "again"
        made = quantune("quantize", "--config", digits / "config.yaml", "--output", output)
        assert made.status == 0, made.stderr
        again = (*REPRODUCIBLE, "config.yaml")
        assert [n for n in again if (output / n).read_bytes() != (digits / n).read_bytes()] == []


class TestVerification:
    def test_comes_first_and_can_be_left_out(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        given = ("--calibration", CALIBRATION, "--profile", digits / "profile.npz", "--samples", 4)
        made = quantune("quantize", MODEL, *given, "--output", tmp_path / "a")
        lines = made.stdout.splitlines()
        assert max(map(len, lines[:-2])) <= 80
        assert lines[0] == "digits.onnx" and "multiply-accumulates in int8" in lines[1]
        assert lines[3].split() == ["fp32", "int8", "mixed"] and lines[4].startswith("noise, worst part: SQNR")
        measured = next(place for place, line in enumerate(lines) if line.split()[-2:] == ["measured", "predicted"])
        assert lines[measured + 1].split()[0] == "logits"
        assert "verified over 4" in made.stdout and "warning" not in made.stderr
        without = quantune("quantize", MODEL, *given, "--no-verify", "--output", tmp_path / "b")
        assert without.status == 0 and "measured" not in without.stdout, without.stdout
        summary = json.loads((tmp_path / "b" / "summary.json").read_text())
        assert summary["format"] == 3 and summary["verification"] is None
        assert not any(stage.endswith("verified") for stage in summary["timings_s"])
        assert (tmp_path / "b" / "model.vmfb").read_bytes() == (tmp_path / "a" / "model.vmfb").read_bytes()

    def test_a_ruined_part_is_a_warning(self, quantune: Quantune, tmp_path: Path) -> None:
        """The output depends on the quiet one of two channels only, which int8 rounds to zero."""
        weight = numpy_helper.from_array(np.array([0, 1], np.float32).reshape(1, 2, 1, 1), "w")
        node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
        model = save_model(make_model([node], [weight], output="y"), tmp_path / "model.onnx")
        data = images(5)
        data[:, 0] *= 1e5
        arguments = ("--calibration", save_samples(tmp_path / "data.npz", x=data), "--all", "int8")
        made = quantune("quantize", model, *arguments, "--output", tmp_path / "out")
        assert made.status == 0
        assert "quantune: warning: measured at the outputs: y " in made.stderr
        assert "remedy: " in made.stderr and "--keep-fp32 '^(conv)$'" in made.stderr


class TestPlan:
    def test_an_edited_plan_is_honoured_exactly(self, digits: Path, quantized: Any, tmp_path: Path) -> None:
        plan = yaml.safe_load((digits / "plan.yaml").read_text())
        for layer in plan["layers"]:
            layer["precision"] = "fp32" if layer["name"] == "pointwise/conv" else "int8"
        file = tmp_path / "edited.yaml"
        file.write_text(yaml.safe_dump(plan))
        output = quantized("--plan", file, "--profile", digits / "profile.npz")
        assert dot_inputs(output / "mixed.mlir") == ["i8", "i8", "f32", "i8", "i8"]
        written = PrecisionPlan.load(output / "plan.yaml").precision_of()
        assert written == {name: FP32 if name == "pointwise/conv" else INT8 for name in written}
        summary = json.loads((output / "summary.json").read_text())
        assert {layer["name"] for layer in summary["layers"] if layer["precision"] == "fp32"} == {"pointwise/conv"}

    def test_values_are_quantized_once(self, digits: Path, tmp_path: Path) -> None:
        plan, made = tmp_path / "plan.yaml", tmp_path / "mixed.mlir"
        layers = [{"name": name, "precision": "fp32"} for name in ("depthwise/conv", "head/conv")]
        plan.write_text(yaml.safe_dump({"format": 1, "default": "int8", "layers": layers}))
        settings = ("--set", f"profile={digits / 'profile.npz'}", "--set", f"plan={plan}")
        assert run_main(quantune_opt, digits / "fp32.mlir", "--pipeline", "quantize", *settings, "-o", made) == 0
        casts = [op for op in operations(made) if op.name == "tosa.cast"]
        conversions = Counter((op.operand, op.result_type) for op in casts)
        assert {"i8", "f32"} <= {op.result_type for op in casts}
        assert max(conversions.values()) == 1
        dequantized = {op.result for op in casts if op.operand_type == "i8"}
        assert not [op for op in casts if op.result_type == "i8" and op.operand in dequantized]

    def test_keep_fp32_pins_every_layer_found(self, digits: Path) -> None:
        precision = planned(digits, PlanPolicy(everything="int8", keep_fp32="^stem/"))
        assert [name for name, value in precision.items() if value == "fp32"] == ["stem/conv", "stem/relu"]

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_fp32_layers(self, digits: Path, count: int) -> None:
        precision = planned(digits, PlanPolicy(fp32_layers=count))
        model, ranked = Model.load(digits / "fp32.mlir"), SensitivityList.load(digits / "sensitivity.yaml")
        deciding = {layer.name for layer in model.layers if layer.decides}
        first = [layer.name for layer in ranked.layers if layer.name in deciding][:count]
        computing = {layer.name for layer in ranked.layers if layer.macs}
        assert all(precision[name] == "fp32" for name in first)
        assert {name for name in computing if precision[name] == "fp32"} <= set(first)


def planned(digits: Path, policy: PlanPolicy) -> dict[str, str]:
    """The precision of each layer that a policy comes to."""
    model = Model.load(digits / "fp32.mlir")
    plan = policy.plan(SensitivityList.load(digits / "sensitivity.yaml"), model)
    return PlanRewriter(model, Profile.load(digits / "profile.npz"), QuantizeOptions()).rewrite(plan).precision


def test_one_precision_throughout_and_force(quantune: Quantune, digits: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ("--calibration", CALIBRATION, "--profile", digits / "profile.npz", "--output", output, "--samples", 2)
    assert quantune("quantize", MODEL, *arguments, "--all", "fp32").status == 0
    assert set(dot_inputs(output / "mixed.mlir")) == {"f32"}
    raw: list[NDArray[np.float32]] = []
    for variant in ("fp32", "mixed"):
        file = tmp_path / f"{variant}.npy"
        assert quantune("evaluate", output, "--data", TEST, "--variant", variant, "--outputs", file).status == 0
        raw.append(np.load(file))
        file.unlink()
    np.testing.assert_array_equal(raw[0], raw[1])
    assert quantune("quantize", MODEL, *arguments, "--all", "int8", "--force").status == 0
    assert set(dot_inputs(output / "mixed.mlir")) == {"i8"}
    assert json.loads((output / "summary.json").read_text())["totals"]["int8_mac_share"] == 1.0
    assert sorted(path.name for path in output.iterdir()) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed",
    [
        {"weights": "per-tensor"},
        {"scheme": Scheme.SYMMETRIC},
        {"scheme": Scheme.SYMMETRIC_WITH_UINT8},
        {"scheme": Scheme.SYMMETRIC_WITH_POWER2_SCALE},
        {"range": RangeMethod.PERCENTILE},
        {"range": RangeMethod.ENTROPY},
        {"range": RangeMethod.MSE},
        {"requantize": "integer"},
        {"requantize": "integer", "scheme": Scheme.SYMMETRIC_WITH_POWER2_SCALE, "weights": "per-tensor"},
    ],
    ids=lambda changed: "-".join(map(str, changed.values())),
)
def test_options_keep_the_accuracy(digits: Path, tmp_path: Path, changed: dict[str, Any]) -> None:
    model, profile = Model.load(digits / "fp32.mlir"), Profile.load(digits / "profile.npz")
    options = QuantizeOptions(**changed)
    samples = SampleSet.open(CALIBRATION, model.inputs, count=10)
    made = quantize(model, samples, options, policy=PlanPolicy(everything="int8"), profile=profile)
    assert made.runs == InferenceRuns(fp32=0, int8=1, samples=10)
    program, test = made.program(), np.load(TEST)
    right = sum(
        int(program(image[None])[0].argmax()) == label
        for image, label in zip(test["input"], test["labels"], strict=True)
    )
    assert right >= 394 - 8
    plan, again = tmp_path / "plan.yaml", tmp_path / "mixed.mlir"
    plan.write_text(made.plan.to_yaml())
    settings = {name: str(value) for name, value in changed.items()} | {
        "equalize": str(options.equalizes).lower(),
        "profile": str(digits / "profile.npz"),
        "plan": str(plan),
    }
    flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    arguments = ("--pipeline", "quantize", *flags, "--mlir-print-op-generic", "-o", again)
    assert run_main(quantune_opt, digits / "fp32.mlir", *arguments) == 0
    assert again.read_text() == module_text(made.mixed.module, generic=True)


class TestEvaluateAndBench:
    def test_evaluate(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        scores = tmp_path / "scores.json"
        outcome = quantune("evaluate", digits, "--data", TEST, "--json", scores)
        assert outcome.status == 0, outcome.stderr
        results = json.loads(scores.read_text())
        assert list(results) == VARIANTS
        for score in results.values():
            assert set(score) == {"samples", "top1", "top5", "agreement", "output_sqnr_db", "worst_sqnr_db", "parts"}
            assert score["samples"] == 400
            assert 0.96 < score["top1"] <= score["top5"] <= 1
        assert results["fp32"]["agreement"] == 1.0 and float(results["fp32"]["output_sqnr_db"]) == math.inf
        assert 20 < results["int8"]["output_sqnr_db"] <= results["mixed"]["output_sqnr_db"] + 1e-9
        lines = outcome.stdout.splitlines()
        assert [line.split()[0] for line in lines[2:5]] == VARIANTS
        assert lines[-2].split() == ["part", *VARIANTS] and lines[-1].split()[:2] == ["logits", "inf"]

    def test_evaluate_outputs_of_some_samples_without_labels(
        self, quantune: Quantune, digits: Path, tmp_path: Path
    ) -> None:
        images = np.load(TEST)["input"]
        np.savez(tmp_path / "some.npz", input=images[:7])
        outputs, scores = tmp_path / "outputs.npy", tmp_path / "scores.json"
        arguments = ("--variant", "mixed", "--outputs", outputs, "--json", scores)
        assert quantune("evaluate", digits, "--data", tmp_path / "some.npz", *arguments).status == 0
        program = Program(digits / "model.vmfb")
        np.testing.assert_array_equal(
            np.load(outputs), np.concatenate([program(image[None])[0] for image in images[:7]])
        )
        told = json.loads(scores.read_text())["mixed"]
        assert set(told) == {"samples", "output_sqnr_db", "worst_sqnr_db", "parts"}, (
            "nothing says that these are classes"
        )

    def test_bench(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        results = tmp_path / "bench.json"
        assert quantune("bench", digits, "--seconds", "0.05", "--json", results).status == 0
        latencies = json.loads(results.read_text())
        assert list(latencies) == VARIANTS
        for latency in latencies.values():
            assert set(latency) == {"median_ms", "p10_ms", "p90_ms", "runs"}
            assert 0 < latency["p10_ms"] <= latency["median_ms"] <= latency["p90_ms"]
            assert latency["runs"] >= 20


class TestStockTools:
    def test_iree_run_module(self, digits: Path) -> None:
        image = np.load(TEST)["input"][:1]
        expected = outputs_of(digits / "model.vmfb", image).reshape(-1).tolist()
        assert iree_run(digits / "model.vmfb", image) == pytest.approx(expected, rel=1e-4, abs=1e-4)

    def test_iree_compile_takes_the_mixed_module(self, digits: Path, tmp_path: Path) -> None:
        program = tmp_path / "stock.vmfb"
        command = [str(script("iree-compile")), str(digits / "mixed.mlir"), "--iree-hal-target-backends=llvm-cpu"]
        subprocess.run([*command, "--iree-llvmcpu-target-cpu=host", "-o", str(program)], check=True)
        image = np.load(TEST)["input"][:1]
        np.testing.assert_allclose(outputs_of(program, image), outputs_of(digits / "model.vmfb", image), atol=0.2)

    def test_mixed_module_is_plain_tosa(self, digits: Path) -> None:
        assert {op.name.split(".")[0] for op in operations(digits / "mixed.mlir")} == {"tosa"}
        assert "quantune.precision" not in (digits / "mixed.mlir").read_text()

    def test_compile_and_run(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        image = np.load(TEST)["input"][:1]
        np.save(tmp_path / "x.npy", image)
        program, result = tmp_path / "y.vmfb", tmp_path / "y.npy"
        assert quantune("compile", digits / "mixed.mlir", "--target", "host", "-o", program).status == 0
        assert quantune("run", program, "--input", tmp_path / "x.npy", "--output", result).status == 0
        np.testing.assert_array_equal(np.load(result), outputs_of(digits / "model.vmfb", image))
        assert quantune("run", program, "--input", tmp_path / "x.npy").stdout.startswith("logits: float32[1, 10]\n")
        assert quantune("run", digits, "--input", TEST, "--output", tmp_path / "y.npz").status == 0
        with np.load(tmp_path / "y.npz") as outputs:
            assert outputs["logits"].shape == (400, 10)
            np.testing.assert_array_equal(outputs["logits"][:1], np.load(result))


class TestQuantuneOpt:
    def test_pass_flags_reproduce_the_mixed_module(
        self, digits: Path, summary: Mapping[str, Any], tmp_path: Path
    ) -> None:
        options, made = summary["options"], tmp_path / "mixed.mlir"
        activations = f"scheme={options['scheme']} range={options['range']}"
        flags = [
            f"--quantune-assign-input-means=profile={digits / 'profile.npz'}",
            f"--quantune-assign-qparams=profile={digits / 'profile.npz'} {activations}",
            f"--quantune-assign-precision=plan={digits / 'plan.yaml'}",
            f"--quantune-quantize=weights={options['weights']} requantize={summary['requantize']}",
            "--quantune-remove-dead-code",
        ]
        assert run_main(quantune_opt, digits / "fp32.mlir", *flags, "--mlir-print-op-generic", "-o", made) == 0
        assert made.read_bytes() == (digits / "mixed.mlir").read_bytes()

    def test_named_pipeline_has_the_same_defaults(self, digits: Path, tmp_path: Path) -> None:
        made = tmp_path / "mixed.mlir"
        settings = ("--set", f"profile={digits / 'profile.npz'}", "--set", f"plan={digits / 'plan.yaml'}")
        arguments = ("--pipeline", "quantize", *settings, "--mlir-print-op-generic", "-o", made)
        assert run_main(quantune_opt, digits / "fp32.mlir", *arguments) == 0
        assert made.read_bytes() == (digits / "mixed.mlir").read_bytes()

    def test_named_pipelines_make_the_programs_of_both_runs(self, digits: Path, tmp_path: Path) -> None:
        made = tmp_path / "program.mlir"
        assert run_main(quantune_opt, digits / "fp32.mlir", "--pipeline", "observe", "-o", made) == 0
        assert tensor_names(made, "quantune.observed") == list(Profile.load(digits / "profile.npz"))
        settings = ("--set", f"profile={digits / 'profile.npz'}")
        assert run_main(quantune_opt, digits / "fp32.mlir", "--pipeline", "analyze", *settings, "-o", made) == 0
        layers = {layer.name for layer in SensitivityList.load(digits / "sensitivity.yaml").layers}
        assert set(tensor_names(made, "quantune.measured")) == {"%input", *layers}


class TestPrinting:
    def test_tables_are_never_cut(self, quantune: Quantune, digits: Path) -> None:
        arguments = ("--calibration", CALIBRATION, "--profile", digits / "profile.npz", "--samples", 2)
        outcome = quantune("analyze", MODEL, *arguments)
        assert outcome.status == 0, outcome.stderr
        header, *rows = [re.split(" {2,}", line) for line in outcome.stdout.splitlines()[1:]]
        assert header[:2] == ["layer", "op"] and header[-6:] == ["SQNR", "delta", "local", "weights", "MSE", "MMAC"]
        assert {len(row) for row in rows} == {len(header)}
        assert {row[0] for row in rows} == {
            layer.name for layer in SensitivityList.load(digits / "sensitivity.yaml").layers
        }
        assert "…" not in outcome.stdout
        assert outcome.stderr == ""

    def test_analyze_prints_and_writes_the_list(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        written = tmp_path / "list.yaml"
        arguments = ("--profile", digits / "profile.npz", "--metric", "weight_sqnr", "--json", "-", "--output", written)
        outcome = quantune("analyze", MODEL, "--calibration", CALIBRATION, *arguments)
        printed = SensitivityList.model_validate(json.loads(outcome.stdout))
        assert printed == SensitivityList.load(written)
        assert (
            printed.layers[0].name
            == min(
                (layer for layer in printed.layers if layer.weight_sqnr_db), key=lambda layer: layer.weight_sqnr_db or 0
            ).name
        )
        before = SensitivityList.load(digits / "sensitivity.yaml")
        assert {layer.name: layer for layer in printed.layers} == {layer.name: layer for layer in before.layers}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads the peak memory from /proc")
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path) -> None:
    shape = (2, 64, 96)
    model = save_model(conv_relu(input_shape=(1, *shape)), tmp_path / "wide.onnx")
    peaks = {count: _peak_memory(tmp_path, model, images(count, shape)) for count in (100, 1000)}  # of 48 KiB each
    assert peaks[1000] == pytest.approx(peaks[100], rel=0.05)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads the peak memory from /proc")
def test_memory_holds_weights_a_few_times(tmp_path: Path) -> None:
    """While run 2 is compiled: the model, int8; fp32, adjoint and int8 as kernels want them: 3.3 times."""
    size = 1024
    models = {depth: save_model(dense_layers(depth, size), tmp_path / f"{depth}.onnx") for depth in (1, 9)}
    peaks = {depth: _peak_memory(tmp_path, model, images(2, (size,))) for depth, model in models.items()}
    weights = 8 * size * size * 4 / 1024
    assert (peaks[9] - peaks[1]) / weights < 4


def _peak_memory(work: Path, model: Path, samples: np.ndarray) -> int:
    """Largest resident set, in KiB, of quantizing over all samples.

    From /proc: what getrusage tells includes the process that this one was forked from.
    """
    count = len(samples)
    data = save_samples(work / f"{count}.npz", x=samples)
    script = (
        "import sys; from quantune_mlir.cli.quantune import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(*(line for line in open('/proc/self/status') if line.startswith('VmHWM')), file=sys.stderr)"
    )
    output = work / f"{model.stem}-{count}"
    arguments = ["quantize", model, "--calibration", data, "--samples", count, "--output", output]
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{count} samples, " in done.stdout
    return int(done.stderr.split()[-2])


def iree_run(program: Path, image: NDArray[np.float32]) -> list[float]:
    """What iree-run-module prints for one image."""
    values = " ".join(map(repr, image.reshape(-1).tolist()))
    shape = "x".join(map(str, image.shape))
    command = [
        str(script("iree-run-module")),
        f"--module={program}",
        "--function=main",
        f"--input={shape}xf32={values}",
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [float(value) for value in re.findall(r"[-+.\de]+", printed.split("=")[-1])]


def script(name: str) -> Path:
    """A command line tool installed beside this Python."""
    return Path(sys.executable).parent / name
