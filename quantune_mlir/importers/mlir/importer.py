"""An .mlir or .mlirbc file in: a module that this project wrote, as it is; TOSA of other makers, made one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from quantune_mlir.errors import ModelError
from quantune_mlir.files.access import read_file
from quantune_mlir.importers.common.adoption import adopt
from quantune_mlir.importers.common.edits import Edits
from quantune_mlir.importers.common.import_options import ImportOptions
from quantune_mlir.importers.mlir.labels import label_layers
from quantune_mlir.importers.mlir.network_function import chosen_function, input_names, output_names
from quantune_mlir.importers.mlir.resources import inline_resources
from quantune_mlir.importers.mlir.rewrites import rewrite_to_tosa
from quantune_mlir.mlir.attributes import MODEL
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.text import LARGEST, load_module

_TOSA_ALREADY: Final = (
    "leave out --shape, --batch, --constant, --inputs and --outputs, or give the model it was made from"
)


def import_mlir(path: Path, options: ImportOptions, context: ir.Context) -> tuple[ir.Module, bool]:
    """Read a module, and whether this project wrote it, so that it is simplified already.

    Raises:
        ModelError: the file is missing, no MLIR, or has no function that can be taken; or options do not fit.
        UnsupportedOperatorsError: some ops cannot be taken; it lists all of them.
    """
    where = str(path)
    module = load_module(path, context)
    own = MODEL in module.operation.attributes
    if options.shapes.given or options.shapes.batch != 1 or (own and options.edits):
        raise ModelError("the module's shapes, inputs and outputs are fixed already", where=where, remedy=_TOSA_ALREADY)
    if own:
        return module, True
    digest = hashlib.sha256(read_file(path, limit=LARGEST, error=ModelError)).hexdigest()
    try:
        adopt_module(module, options.edits, digest, where)
    except (RuntimeError, UnicodeDecodeError) as error:  # as the bindings tell it
        raise ModelError(
            "the module holds text that is not UTF-8", where=where, remedy="make the file again"
        ) from error
    return module, False


def adopt_module(module: ir.Module, edits: Edits, digest: str, where: str) -> None:
    """Make a module of another maker one of this project's, in place; see `import_mlir`."""
    function = chosen_function(module, where)
    block = function.regions[0].blocks[0]
    with module.context, ir.Location.unknown():
        names = input_names(function), output_names(function)
        inline_resources(module, where)
        rewrite_to_tosa(block)
        tensors = label_layers(block)
    adopt(module, function, tensors, names, edits, digest, where)
