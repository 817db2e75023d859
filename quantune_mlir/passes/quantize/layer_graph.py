"""The graph of layers as planning sees it: no MLIR, only layers with something to decide, and who feeds whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from quantune_mlir.graph.layers import Layer
from quantune_mlir.planning.graph import LayerNode


def planned_layers(layers: Sequence[Layer], pinned: Collection[str] = ()) -> list[LayerNode]:
    """The layers that decide or have no int8 form, and the `pinned` ones; in graph order.

    The inputs of a node are the nearest listed layers before it.
    """
    nearest: dict[object, tuple[str, ...]] = {}
    nodes: list[LayerNode] = []
    for layer in layers:
        sources = tuple(dict.fromkeys(name for value in layer.inputs for name in nearest.get(value, ())))
        if layer.decides or not layer.quantizable or layer.name in pinned:
            nodes.append(LayerNode(layer.name, layer.op_type, layer.quantizable, layer.macs, sources, layer.fp32_only))
            sources = (layer.name,)
        for unit in layer.units:
            nearest[unit.output] = sources
    return nodes
