"""Every version of summary.json is read; a broken one is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from quantune_mlir.errors import OutputError
from quantune_mlir.report.summary_file import Summary

LAYER = {
    "name": "conv",
    "op": "Conv",
    "precision": "int8",
    "macs": 10,
    "weight_bytes": 4,
    "activation_sqnr_db": 30.0,
    "sqnr_delta_db": None,
    "local_sqnr_db": "inf",
    "mse": 0.1,
    "normalized_mse": 0.001,
    "local_normalized_mse": 0.001,
    "output_normalized_mse": 0.001,
    "weight_sqnr_db": 40.0,
    "reason": "0 % of the noise",
}
FORMAT_1: dict[str, Any] = {
    "format": 1,
    "versions": {"quantune-mlir": "0.1.0", "numpy": "2.0.0"},
    "model": {"file": "net.onnx", "sha256": "00"},
    "options": {"weights": "per-channel", "equalize": None},
    "requantize": "float",
    "policy": "default",
    "trials": [],
    "inference_runs": {"fp32": 1, "int8": 1, "samples": 4, "int8_samples": 4},
    "timings_s": {"run_fp32": 0.5},
    "layers": [LAYER],
    "totals": {
        "fp32_program_bytes": 10,
        "mixed_program_bytes": 5,
        "macs": 10,
        "int8_mac_share": 1.0,
        "int8_layers": 1,
        "layers": 1,
    },
}
PART = {
    "name": "y",
    "output": "y",
    "signal": "output",
    "measured_sqnr_db": "-inf",
    "predicted_sqnr_db": None,
    "whole_sqnr_db": 20.0,
}
FORMAT_2 = {**FORMAT_1, "format": 2, "warnings": [], "verification": {"samples": 4, "parts": [PART]}}


def read(tmp_path: Path, content: object) -> Summary:
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(content))
    return Summary.load(path)


def test_format_1(tmp_path: Path) -> None:
    found = read(tmp_path, FORMAT_1)
    assert found.verification is None and found.front == () and found.costs is None
    (layer,) = found.layers
    assert layer.local_sqnr_db == math.inf and layer.sqnr_delta_db is None
    assert layer.decision is None and layer.inputs == () and layer.alone_normalized_mse is None


def test_format_2(tmp_path: Path) -> None:
    found = read(tmp_path, FORMAT_2)
    assert found.verification is not None and found.verification.parts[0].measured_sqnr_db == -math.inf


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 4}, "format"),
        ({"layers": []}, "layers"),
        ({"layers": [{**LAYER, "macs": "many"}]}, r"layers\.0\.macs"),
        ({"totals": None}, "totals"),
    ],
)
def test_a_broken_one_names_the_field(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(OutputError, match=rf"summary\.json(.|\n)*{told}"):
        read(tmp_path, {**FORMAT_2, **change})


@pytest.mark.parametrize("text", ["", "[", "[]", "[" * 100_000, "null"])
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(OutputError, match="is not a summary"):
        Summary.load(tmp_path / "summary.json")
