"""Where a network ends in int8: what the last layers with a precision of their own make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantune_mlir.graph.layers import is_result
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of

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


def closing_channels(network: Network) -> dict[ir.Value, int]:
    """The closing values whose channels, along the last axis, a part of the outputs judges by their own scale.

    Where noise is compared with something else than the value, there are none.
    """
    found: dict[ir.Value, int] = {}
    for part, value in network.parts.items():
        for closing in network.closing_values_before(value):
            channels = shape_of(closing)[-1] if shape_of(closing) else 1
            if part.channel_count == channels > 1 and closing not in network.baselines:
                found[closing] = channels
    return {value: found[value] for value in network.closing_values if value in found}
