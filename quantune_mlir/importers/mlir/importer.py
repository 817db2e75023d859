"""An .mlir or .mlirbc file in: a module that this project wrote, as it is."""

from __future__ import annotations

from pathlib import Path

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.common.options import ImportOptions
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.text import load_module


def import_mlir(path: Path, options: ImportOptions, context: ir.Context) -> tuple[ir.Module, bool]:
    """Read a module, and whether it is simplified already.

    Raises:
        ModelError: the file is missing or no MLIR, or options ask for what can be had of the model's own file only.
    """
    if options.shapes.given or options.edits:
        raise ModelError(
            "the module's shapes, inputs and outputs are fixed already",
            where=str(path),
            remedy="leave out --shape, --constant, --inputs and --outputs, or give the model that it was made from",
        )
    return load_module(path, context), True
