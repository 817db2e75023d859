"""What `quantune evaluate` and `quantune bench` tell of the sample network."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from quantune_mlir.backend.program import Program
from tests.e2e.conftest import TEST, Quantune

VARIANTS = ["fp32", "int8", "mixed"]


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
