"""Runs a model a few times in a fresh process and prints, as JSON, how much memory that took.

    python -m tools.peak_rss MODEL VALUES.npz

MODEL is a .vmfb, run by IREE, or an .onnx, run by ONNX Runtime, on one thread. `before_kib` is the resident memory of
Python and NumPy alone, `peak_kib` the most that the process ever had.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

CALLS: Final = 5


def measured(model: Path, values: Path) -> dict[str, int]:
    """`before_kib` and `peak_kib` of a process that runs `model`."""
    command = [sys.executable, "-m", "tools.peak_rss", str(model), str(values)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def peak_kib() -> int:
    """The most memory that this process ever had resident. getrusage would count its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


def _run_iree(model: Path, values: dict[str, Any]) -> None:
    from quantune_mlir.backend.program import Program

    program = Program(model)
    for _ in range(CALLS):
        program(*values.values())


def _run_onnxruntime(model: Path, values: dict[str, Any]) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    for _ in range(CALLS):
        session.run(None, values)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("values", type=Path, help="an .npz with one array for each input, in the model's order")
    arguments = parser.parse_args()
    with np.load(arguments.values) as arrays:
        values = dict(arrays)
    before = peak_kib()
    run = _run_onnxruntime if arguments.model.suffix == ".onnx" else _run_iree
    run(arguments.model, values)
    print(json.dumps({"before_kib": before, "peak_kib": peak_kib()}))


if __name__ == "__main__":
    main()
