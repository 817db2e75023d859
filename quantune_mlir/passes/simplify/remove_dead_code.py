"""In: any module. Out: no op that computes something nobody uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import erase_dead
from quantune_mlir.pipeline.base import Pass


@dataclass(frozen=True)
class RemoveDeadCode(Pass):
    """Remove ops without users and without side effects."""

    name: ClassVar[str] = "quantune-remove-dead-code"

    def apply(self, module: ir.Module) -> None:
        erase_dead(module.operation)
