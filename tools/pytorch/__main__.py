"""The table of docs/pytorch.md: what is imported of the networks that tools/pytorch/export.py exported.

    python -m tools.pytorch FOLDER [--run NAME --run NAME ...]

With --run a network's program is compared with PyTorch's output, in units of its largest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import QuantuneError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from tools.markdown import MISSING, table

HEAD = ("network", "layers", "products", "the first, the last", "difference")


def row(path: Path, *, run: bool) -> list[str]:
    """What there is to say of one exported network."""
    try:
        model = Model.load(path)
    except QuantuneError as error:
        return [path.stem, MISSING, MISSING, f"refused: {error.what.splitlines()[0]}", MISSING]
    products = [layer.name for layer in model.layers if layer.macs]
    ends = f"`{products[0]}`, `{products[-1]}`"
    return [path.stem, str(len(model.layers)), str(len(products)), ends, difference(path, model) if run else ""]


def difference(path: Path, model: Model) -> str:
    """The largest difference of the program's output from PyTorch's, in units of the largest."""
    with np.load(path.with_suffix(".npz")) as known:
        (found,) = Program(compile_program(model.module, load_target("host")))(known["image"])
        wanted = known["output"]
    return f"{np.abs(found.astype(np.float64) - wanted).max() / np.abs(wanted).max():.0e}".replace("e-0", "e-")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", action="append", default=[], metavar="NAME", help="compare its output; 'all' does all")
    arguments = parser.parse_args()
    chosen = set(arguments.run)
    rows = [row(path, run=bool(chosen & {path.stem, "all"})) for path in sorted(arguments.folder.glob("*.onnx"))]
    refused = [[path.stem, MISSING, MISSING, path.read_text("utf-8").splitlines()[0], MISSING]
               for path in sorted(arguments.folder.glob("*.txt"))]  # fmt: skip
    print(table(HEAD, [*rows, *refused]))


if __name__ == "__main__":
    main()
