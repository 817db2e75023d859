"""The table of docs/pytorch.md: what is imported of the networks that tools/pytorch/export.py exported.

    python -m tools.pytorch FOLDER [--run NAME --run NAME ...]

With --run a network's program is compared with PyTorch's output, and with ONNX Runtime's, in units of the largest.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import QuantuneError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from tools.markdown import MISSING, table

HEAD = ("network", "layers", "products", "the first, the last", "from PyTorch", "from ONNX Runtime")


def row(path: Path, *, run: bool) -> list[str]:
    """What there is to say of one exported network."""
    try:
        model = Model.load(path)
    except QuantuneError as error:
        return refused(path, error.what)
    products = [layer.name for layer in model.layers if layer.macs]
    ends = f"`{products[0]}`, `{products[-1]}`"
    counts = str(len(model.layers)), str(len(products))
    return [path.stem, *counts, ends, *(differences(path, model) if run else ("", ""))]


def refused(path: Path, reason: str) -> list[str]:
    """A row without numbers."""
    return [path.stem, MISSING, MISSING, f"refused: {reason.splitlines()[0]}", MISSING, MISSING]


def differences(path: Path, model: Model) -> list[str]:
    """Of the program's output from PyTorch's and from ONNX Runtime's: the largest, in units of the largest output."""
    with np.load(path.with_suffix(".npz")) as known:
        image, by_torch = known["image"], known["output"]
    session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (by_runtime,) = session.run(None, {"image": image})
    (found,) = Program(compile_program(model.module, load_target("host")))(image)
    return [f"{np.abs(found.astype(np.float64) - wanted).max() / np.abs(wanted).max():.0e}".replace("e-0", "e-")
            for wanted in (by_torch, by_runtime)]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", action="append", default=[], metavar="NAME", help="compare its output; 'all' does all")
    arguments = parser.parse_args()
    chosen = set(arguments.run)
    rows: list[list[str]] = []
    for path in sorted(arguments.folder.glob("*.onnx")):
        rows.append(row(path, run=bool(chosen & {path.stem, "all"})))
        print(" | ".join(rows[-1]), flush=True)
    rows += [refused(path, path.read_text("utf-8")) for path in sorted(arguments.folder.glob("*.txt"))]
    print(table(HEAD, rows))


if __name__ == "__main__":
    main()
