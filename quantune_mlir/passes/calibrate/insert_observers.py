"""quantune-insert-observers.

In:  simplified fp32 TOSA.
Out: the same, with `quantune.observe` on every tensor whose values are new (graph inputs and results of computing ops),
     and `quantune.observe_channels` on those that a repair needs channel by channel (graph/channels.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.graph.channels import channel_tensors
from quantune_mlir.graph.tensors import find_tensors
from quantune_mlir.graph.units import find_units
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.pipeline.base import Pass


@dataclass(frozen=True)
class InsertObservers(Pass):
    """Mark every tensor that needs a histogram, or the mean and extremes of its channels."""

    name: ClassVar[str] = "quantune-insert-observers"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        block = entry_block(function)
        units = find_units(block)
        tensors = find_tensors(function, units)
        channels = channel_tensors(units, tensors)
        first = block.operations[0]
        _insert(tensors.names, first, quantune.observe)
        _insert(channels, first, quantune.observe_channels)


def _insert(names: Mapping[ir.Value, str], first: ir.Operation, observe: Callable[[ir.Value, str], object]) -> None:
    for value, tensor in names.items():
        if isinstance(value, ir.BlockArgument):
            with ir.InsertionPoint(first), ir.Location.unknown():
                observe(value, tensor)
        else:
            producer = value.owner.operation
            with ir.InsertionPoint.after(producer), producer.location:
                observe(value, tensor)
