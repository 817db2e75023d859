"""quantune-lower-kernels.

In:  `quantune.fused` ops.
Out: dispatches of kernels made for an instruction set; what has no kernel is TOSA again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.quantune_dialect import FUSED
from quantune_mlir.ir.units import entry_block
from quantune_mlir.kernels import dense
from quantune_mlir.kernels.executable import Library
from quantune_mlir.kernels.group import CONVOLUTION, Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.isa.table import ISAS, IsaName
from quantune_mlir.passes.base import Pass

Lower = Callable[[Group, Isa, Library], ir.Value | None]

_KERNELS: Final[dict[str, Lower]] = {CONVOLUTION: dense.lower}


@dataclass(frozen=True)
class LowerKernels(Pass):
    """Lower quantune.fused to kernels."""

    name: ClassVar[str] = "quantune-lower-kernels"

    isa: IsaName = "generic"

    def apply(self, module: ir.Module) -> None:
        isa = ISAS[self.isa]
        library = Library(module, isa)
        fused = [view.operation for view in entry_block(main_function(module)) if view.operation.name == FUSED]
        for op in fused:
            group = Group(op)
            lower = _KERNELS.get(group.family)
            with ir.InsertionPoint(op), op.location:
                result = lower(group, isa, library) if lower else None
            if result is None:
                group.inline()
            else:
                op.results[0].replace_all_uses_with(result)
                op.erase()
