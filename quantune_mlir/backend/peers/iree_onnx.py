"""`iree`: the ONNX file by stock iree-import-onnx and iree-compile, with the flags that IREE's guide recommends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from quantune_mlir.backend.peers.job import Job, Starter
from quantune_mlir.backend.peers.onnx_file import static_model
from quantune_mlir.backend.peers.stock_iree import stock_program
from quantune_mlir.errors import PeerError

FLAGS: Final = (("--iree-opt-level=O3", "--iree-opt-data-tiling"), ("--iree-opt-level=O3",), ("--iree-opt-level=O2",))
"""Data tiling is recommended for CPUs but does not compile everything."""
OPSET: Final = "17"
"""The least that iree-import-onnx takes; the importer converts older models."""


def prepare(job: Job) -> Starter:
    """See `preparation`."""
    model = static_model(job)
    return stock_program("iree", job, model.parent.name, lambda: _imported(model), FLAGS)


def _imported(model: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "model.mlir"
        command = [sys.executable, "-m", "iree.compiler.tools.import_onnx", str(model), "-o", str(module)]
        done = subprocess.run(
            [*command, "--opset-version", OPSET], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise PeerError(f"iree-import-onnx cannot import this model: {last}", where="iree")
        return module.read_bytes()
