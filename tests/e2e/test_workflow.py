"""The whole way on the sample network: two runs, a directory, a report."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from quantune_mlir.model import Model
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.calibrate.shadow_int8 import PROBE
from quantune_mlir.planning.metric import Metric
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.report.summary_file import Summary
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.quantization import quantize
from quantune_mlir.workflow.variants import Variants
from tests.e2e.conftest import CALIBRATION, FILES, MODEL, TEST, Quantune
from tests.e2e.models import images, make_model, save_model, save_samples

SAMPLES = 100
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


class TestOutputDirectory:
    def test_holds_all_files_and_nothing_else(self, quantune: Quantune, tmp_path: Path) -> None:
        output = tmp_path / "out"
        assert quantune("quantize", MODEL, "--calibration", CALIBRATION, "--output", output).status == 0
        assert sorted(path.name for path in output.iterdir()) == FILES
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
        assert all(path.stat().st_mode & 0o044 for path in (output, *output.iterdir())), "others may read it"

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
        made = quantune("report", digits, "--output", tmp_path / "again.html", "--json", "-")
        assert made.status == 0, made.stderr
        (numbers,) = json.loads(made.stdout).values()
        assert numbers["worst_sqnr_db"] > 20 and set(numbers["precision"].values()) == {"int8", "fp32"}
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
        again = quantized("--verbose")
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
        told = quantune("profile", "merge", *parts, "-o", merged, "--json", "-")
        assert told.status == 0
        known = json.loads(told.stdout)
        assert known["samples"] == SAMPLES
        assert known["tensors"]["%input"] == {"minimum": data.min(), "maximum": data.max()}
        assert merged.read_bytes() == (digits / "profile.npz").read_bytes()
        output = tmp_path / "out"
        arguments = ("--calibration", CALIBRATION, "--profile", merged, "--output", output)
        assert quantune("quantize", MODEL, *arguments).status == 0
        assert [n for n in REPRODUCIBLE if (output / n).read_bytes() != (digits / n).read_bytes()] == []
        runs = json.loads((output / "summary.json").read_text())["inference_runs"]
        assert runs == {"fp32": 0, "int8": 1, "samples": SAMPLES, "int8_samples": 40}

    def test_again_from_the_options_that_were_saved(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        output = tmp_path / "again"
        made = quantune("quantize", "--config", digits / "config.yaml", "--output", output, "--verbose")
        assert made.status == 0, made.stderr
        again = (*REPRODUCIBLE, "config.yaml")
        assert [n for n in again if (output / n).read_bytes() != (digits / n).read_bytes()] == []


class TestVerification:
    def test_comes_first_and_can_be_left_out(self, quantune: Quantune, digits: Path, tmp_path: Path) -> None:
        profile = digits / "profile.npz"
        given = ("--calibration", CALIBRATION, "--profile", profile, "--samples", 4, "--fp32-layers", 1)
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
