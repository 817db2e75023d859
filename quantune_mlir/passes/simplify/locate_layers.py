"""In: any module. Out: each op's location is its layer's name, as viewers of MLIR group ops by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.mlir.attributes import LAYER
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.pipeline.base import Pass


@dataclass(frozen=True)
class LocateLayers(Pass):
    """Put the layers' names into locations, for Model Explorer; with --mlir-print-debuginfo."""

    name: ClassVar[str] = "quantune-locate-layers"

    def apply(self, module: ir.Module) -> None:
        def visit(op: ir.Operation) -> ir.WalkResult:
            layer = op.attributes.get(LAYER, None)
            if isinstance(layer, ir.StringAttr):
                op.location = ir.Location.name(layer.value, context=op.context)
            return ir.WalkResult.ADVANCE

        module.operation.walk(visit)
