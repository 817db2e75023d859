"""In: any module. Out: the same, or an error if an op does not say which layer it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from quantune_mlir.errors import PassError
from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONSTANTS
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.pipeline.base import Pass

_LAYERLESS: Final = CONSTANTS | {"builtin.module", "func.func", "func.return", "tosa.yield"}
"""Constants and structure. Changes of layout may belong to no layer, either, and quantune ops name tensors instead."""


@dataclass(frozen=True)
class VerifyLayers(Pass):
    """Check that every op that computes carries quantune.layer and quantune.op."""

    name: ClassVar[str] = "quantune-verify-layers"

    def apply(self, module: ir.Module) -> None:
        orphans: list[ir.Operation] = []

        def visit(op: ir.Operation) -> ir.WalkResult:
            exempt = op.name in _LAYERLESS or traits_of(op).reorders or op.name.startswith("quantune.")
            if not exempt and not (LAYER in op.attributes and OP in op.attributes):
                orphans.append(op)
            return ir.WalkResult.ADVANCE

        module.operation.walk(visit)
        if orphans:
            first = orphans[0]
            missing = " and ".join(name for name in (LAYER, OP) if name not in first.attributes)
            others = f" (and {len(orphans) - 1} more)" if len(orphans) > 1 else ""
            raise PassError(f"'{first.name}' lacks {missing}{others}", where=str(first.location))
