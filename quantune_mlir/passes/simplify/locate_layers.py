"""In: any module. Out: each op's location is its layer's name, a constant's that of its first reader's layer.

The name is fused with the op's: where two ops have the very same location, Model Explorer numbers them, and each is a
group of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.mlir.attributes import LAYER
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONSTANTS
from quantune_mlir.mlir.edit import users
from quantune_mlir.pipeline.base import Pass


@dataclass(frozen=True)
class LocateLayers(Pass):
    """Put the layers' names into locations, for Model Explorer; with --mlir-print-debuginfo."""

    name: ClassVar[str] = "quantune-locate-layers"

    def apply(self, module: ir.Module) -> None:
        def visit(op: ir.Operation) -> ir.WalkResult:
            readers = users(op.results[0]) if op.name in CONSTANTS else []
            layers = [
                ir.StringAttr(each.attributes[LAYER]).value for each in (op, *readers) if LAYER in each.attributes
            ]
            if layers:
                names = [ir.Location.name(name, context=op.context) for name in (layers[0], op.name)]
                op.location = ir.Location.fused(names, context=op.context)
            return ir.WalkResult.ADVANCE

        module.operation.walk(visit)
