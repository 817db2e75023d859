"""quantune-insert-observers.

In:  simplified fp32 TOSA.
Out: the same, with `quantune.observe` on every tensor whose values are new (graph inputs and results of computing ops),
     and `quantune.observe_channels` on those that a repair needs channel by channel (graph/channels.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.graph.network import Network
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.pipeline.base import NetworkPass


@dataclass(frozen=True)
class InsertObservers(NetworkPass):
    """Mark every tensor that needs a histogram, or the mean and extremes of its channels."""

    name: ClassVar[str] = "quantune-insert-observers"

    def apply_to(self, network: Network) -> None:
        tensors, channels = network.tensors.names, network.channel_tensors
        first = network.block.operations[0]
        _insert(tensors, first, quantune.observe)
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
