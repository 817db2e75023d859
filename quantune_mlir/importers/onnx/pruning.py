"""Which values of a graph matter."""

from __future__ import annotations

import onnx

from quantune_mlir.importers.onnx.bodies import captured


def live_values(graph: onnx.GraphProto) -> set[str]:
    """The names of all values that some output of the graph depends on."""
    live = {o.name for o in graph.output}
    for node in reversed(graph.node):
        if any(o in live for o in node.output):
            live.update(node.input)
            live.update(captured(node))
    return live
