"""From a TensorFlow Lite file to a directory of results, with the commands of the tutorial."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from quantune_mlir.backend.program import Program
from quantune_mlir.cli.quantune import main
from quantune_mlir.cli.quantune_opt import main as quantune_opt
from tests.tflite_models import litert, small_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, samples, and what `quantune quantize` makes of them."""
    folder = tmp_path_factory.mktemp("tflite")
    small_network(folder / "small.tflite")
    np.savez(folder / "samples.npz", image=np.random.default_rng(0).random((24, 8, 8, 3), np.float32))
    run("quantize", folder / "small.tflite", "--calibration", folder / "samples.npz", "--output", folder / "out")
    return folder


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_quantize_writes_a_program_that_computes_the_network(folder: Path) -> None:
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert summary["model"]["path"].endswith("small.tflite")
    plan = (folder / "out" / "plan.yaml").read_text()
    assert "name: stem/Relu\n  op: CONV_2D\n" in plan and "name: deep/Relu6\n  op: DEPTHWISE_CONV_2D\n" in plan
    x = np.load(folder / "samples.npz")["image"][:1]
    (got,), (wanted,) = Program((folder / "out" / "model.vmfb").read_bytes())(x), litert(folder / "small.tflite", x)
    np.testing.assert_allclose(got, wanted, atol=0.02)
    assert np.ptp(wanted) > 0.1


def test_peers_that_read_onnx_say_that_there_is_none(folder: Path) -> None:
    told = run("bench", folder / "out", "--against", "onnxruntime")
    assert "small.tflite: not an ONNX model" in told and "--model" in told


def test_quantune_opt_imports_it_too(folder: Path) -> None:
    model, output = str(folder / "small.tflite"), str(folder / "m.mlir")
    done = CliRunner().invoke(quantune_opt, [model, "--pipeline", "simplify", "--batch", "3", "-o", output])
    assert done.exit_code == 0, done.output
    text = Path(output).read_text()
    assert "tensor<3x8x8x3xf32>" in text and 'quantune.layer = "stem/Relu"' in text
