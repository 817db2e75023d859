"""Where a network ends in int8: what the last layers with a precision of their own make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantune_mlir.graph.layers import is_result
from quantune_mlir.mlir.bindings import ir

if TYPE_CHECKING:
    from quantune_mlir.graph.network import Network


def closing_values(network: Network, before: ir.Value | None = None) -> list[ir.Value]:
    """The results of the last deciding layers, or of those whose clamps fold into them, before the network's results.

    What follows them in fp32 (a softmax, say) turns their noise into something else, and hides it where it saturates.

    Args:
        network: the network.
        before: a value instead of the results.
    """
    clamps, made_in = network.clamps, network.layer_making
    ends = (
        clamps[layer.output].output if layer.output in clamps else layer.output
        for layer in network.layers
        if layer.decides
    )
    deciding = {made_in[end].output if end in made_in else end for end in ends}
    pending = [before] if before is not None else [unit.output for unit in network.units if is_result(unit.output)]
    found: dict[ir.Value, None] = {}
    seen: set[ir.Value] = set()
    while pending:
        value = pending.pop()
        if value in seen:
            continue
        seen.add(value)
        if value in deciding:
            found[value] = None
        elif value in network.makers:
            pending += network.makers[value].inputs
    return list(found)
