"""In: any module. Out: no op that computes something nobody uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from quantune_mlir.ir.mlir import ir
from quantune_mlir.passes.base import Pass

_PURE_DIALECTS: Final = ("tosa.", "arith.", "math.", "tensor.")
_IMPURE: Final = frozenset({"tosa.custom", "tosa.variable", "tosa.variable_write", "tosa.yield", "tensor.yield"})


@dataclass(frozen=True)
class RemoveDeadCode(Pass):
    """Remove ops without users and without side effects."""

    name: ClassVar[str] = "quantune-remove-dead-code"

    def apply(self, module: ir.Module) -> None:
        _sweep(module.operation)


def is_pure(op: ir.Operation) -> bool:
    """Whether `op` does nothing but compute its results."""
    return op.name.startswith(_PURE_DIALECTS) and op.name not in _IMPURE


def _sweep(op: ir.Operation) -> None:
    """Users stand after what they use, so one walk from the last op to the first finds all dead ones."""
    for region in op.regions:
        for block in region.blocks:
            for inner in reversed(list(block.operations)):
                if is_pure(inner.operation) and all(next(iter(r.uses), None) is None for r in inner.operation.results):
                    inner.operation.erase()
                else:
                    _sweep(inner.operation)
