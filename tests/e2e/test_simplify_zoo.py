from __future__ import annotations

import json
from pathlib import Path

import pytest

from quantune_mlir.files.resources import pipeline_text
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.attributes import OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import blocks
from quantune_mlir.pipeline.driver import run_pipeline

pytestmark = pytest.mark.zoo


def operations(module: ir.Module) -> list[ir.Operation]:
    return [view.operation for block in blocks(module.operation) for view in block.operations]


def test_every_network_is_simplified(zoo: Path) -> None:
    names = sorted(path.name for path in (zoo / "models").glob("*.onnx"))
    assert len(names) >= len(json.loads((zoo / "MANIFEST.json").read_text())["models"])
    for name in names:
        module = import_onnx(zoo / "models" / name)
        run_pipeline(module, pipeline_text("simplify"))
        transposes = [op for op in operations(module) if op.name == "tosa.transpose"]
        at_input = [op for op in transposes if isinstance(op.operands[0], ir.BlockArgument)]
        assert transposes == at_input, f"{name}: a transpose within the network"
        assert len(transposes) <= 1, name
        layers = {str(op.attributes[OP]) for op in operations(module) if OP in op.attributes}
        assert '"BatchNormalization"' not in layers, name
