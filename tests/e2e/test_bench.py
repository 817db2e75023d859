"""`quantune bench DIR --against PEERS`."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import DIGITS, Quantune

PEERS = "onnxruntime,onnxruntime-int8,iree,iree-tosa"
Refused = Callable[..., str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample network, where it was when it was quantized."""
    return Path(shutil.copy(DIGITS / "digits.onnx", tmp_path_factory.mktemp("model")))


@pytest.fixture
def digits(quantune: Quantune, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.getbasetemp() / "digits"
    if not output.exists():
        arguments = ("--calibration", DIGITS / "digits_calibration.npz", "--samples", 10, "--output", output)
        assert quantune("quantize", model, *arguments).status == 0
    return output


def test_variants_and_peers(quantune: Quantune, digits: Path, tmp_path: Path) -> None:
    results = tmp_path / "bench.json"
    outcome = quantune("bench", digits, "--against", PEERS, "--seconds", 0, "--json", results)
    assert outcome.status == 0 and "left out" not in outcome.stderr
    rows = json.loads(results.read_text())
    assert list(rows) == ["fp32", "int8", "mixed", *PEERS.split(",")]
    assert all(row["median_ms"] > 0 for row in rows.values())
    assert list(rows["int8"]["against"]) == PEERS.split(",")
    assert "Our time over the peer's, in each round" in outcome.stdout


@pytest.mark.skipif(platform.machine() != "x86_64", reason="runs a program for x86-64")
def test_calibration_data_and_another_target(quantune: Quantune, digits: Path, tmp_path: Path) -> None:
    results = tmp_path / "bench.json"
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, pixels in enumerate(np.load(DIGITS / "digits_calibration.npz")["input"][:3, 0]):
        Image.fromarray(np.uint8(255 * pixels)).save(pictures / f"{number}.png")
    arguments = ("--variant", "int8", "--calibration", pictures, "--preprocess", "scale=255", "--target", "x86-64")
    command = ("bench", digits, "--against", "onnxruntime-int8", *arguments, "--seconds", 0, "--json", results)
    assert quantune(*command).status == 0
    assert list(json.loads(results.read_text())) == ["int8", "onnxruntime-int8"]


def test_a_model_that_is_gone(quantune: Quantune, digits: Path, tmp_path: Path) -> None:
    moved, results = tmp_path / "moved", tmp_path / "bench.json"
    shutil.copytree(digits, moved)
    summary = json.loads((moved / "summary.json").read_text())
    summary["model"]["path"] = str(tmp_path / "gone.onnx")
    (moved / "summary.json").write_text(json.dumps(summary))
    command = ("bench", moved, "--variant", "int8", "--against", "onnxruntime,iree-tosa", "--seconds", 0)
    outcome = quantune(*command, "--json", results)
    assert outcome.status == 0 and list(json.loads(results.read_text())) == ["int8", "iree-tosa"]
    assert f"onnxruntime is left out: {tmp_path / 'gone.onnx'}: no such file" in outcome.stderr
    assert "give the ONNX file by --model" in outcome.stderr
    given = quantune(*command, "--model", DIGITS / "digits.onnx", "--json", results)
    assert given.status == 0 and list(json.loads(results.read_text())) == ["int8", "onnxruntime", "iree-tosa"]


def test_another_model(refused: Refused, digits: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"another")
    message = refused("bench", digits, "--against", "onnxruntime", "--model", other)
    assert "other.onnx: not an ONNX model" in message


@pytest.mark.parametrize("names", ["onnxruntime,tvm", "tvm", "onnxruntime,"])
def test_unknown_peers(refused: Refused, digits: Path, names: str) -> None:
    assert "unknown peer" in refused("bench", digits, "--against", names)
