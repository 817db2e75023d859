"""Which values of a graph matter."""

from __future__ import annotations

import onnx


def live_values(graph: onnx.GraphProto) -> set[str]:
    """The names of all values that some output of the graph depends on."""
    live = {o.name for o in graph.output}
    for node in reversed(graph.node):
        if any(o in live for o in node.output):
            live.update(node.input)
            live.update(_captured(node))
    return live


def _captured(node: onnx.NodeProto) -> set[str]:
    """Values that the bodies of control flow take from outside."""
    names: set[str] = set()
    for attribute in node.attribute:
        if attribute.type not in (attribute.GRAPH, attribute.GRAPHS):
            continue
        for body in [attribute.g, *attribute.graphs]:
            for inner in body.node:
                names.update(inner.input)
                names.update(_captured(inner))
            names.update(o.name for o in body.output)
    return names
