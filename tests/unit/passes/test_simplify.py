"""The simplify pipeline keeps what a network computes, and leaves no transpose inside it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from quantune_mlir.files.resources import pipeline_text
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.pipeline.driver import run_pipeline
from tests.random_network import RandomNetwork
from tests.support import run_module

SEEDS = range(10)


def census(module: ir.Module) -> Counter[str]:
    names: Counter[str] = Counter()

    def count(op: ir.Operation) -> ir.WalkResult:
        names[op.name] += 1
        return ir.WalkResult.ADVANCE

    module.operation.walk(count)
    return names


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_compute_the_same(seed: int, tmp_path: Path) -> None:
    model = RandomNetwork(seed).model()
    path = tmp_path / "random.onnx"
    path.write_bytes(model.SerializeToString())
    x = np.random.default_rng(seed).normal(size=(1, 3, 8, 8)).astype(np.float32)
    expected = np.asarray(onnxruntime.InferenceSession(str(path)).run(None, {"x": x})[0])
    module = import_onnx(path)
    run_pipeline(module, pipeline_text("simplify"))
    result = run_module(module, x)[0]
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(100))
def test_random_networks_keep_transposes_at_their_boundary_only(seed: int) -> None:
    module = import_onnx(RandomNetwork(seed).model())
    (result,) = module.body.operations[0].type.results
    run_pipeline(module, pipeline_text("simplify"))
    names = census(module)
    assert names["tosa.transpose"] <= 1 + (result.rank == 4)
    before = str(module)
    run_pipeline(module, pipeline_text("simplify"))
    assert str(module) == before, "the pipeline changes what it has simplified"
