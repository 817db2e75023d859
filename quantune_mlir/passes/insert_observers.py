"""quantune-insert-observers.

In:  simplified fp32 TOSA.
Out: the same, with `quantune.observe` on every tensor whose values are new: graph inputs and results of computing ops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.ir import quantune_dialect
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.tensors import find_tensors
from quantune_mlir.ir.units import entry_block, find_units
from quantune_mlir.passes.base import Pass


@dataclass(frozen=True)
class InsertObservers(Pass):
    """Mark every tensor that needs a histogram."""

    name: ClassVar[str] = "quantune-insert-observers"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        block = entry_block(function)
        tensors = find_tensors(function, find_units(block))
        first = block.operations[0]
        for value, tensor in tensors.names.items():
            if isinstance(value, ir.BlockArgument):
                with ir.InsertionPoint(first), ir.Location.unknown():
                    quantune_dialect.observe(value, tensor)
            else:
                producer = value.owner.operation
                with ir.InsertionPoint.after(producer), producer.location:
                    quantune_dialect.observe(value, tensor)
