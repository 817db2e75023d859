"""Graphs inside of nodes: the bodies of control flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs among a node's attributes."""
    for attribute in node.attribute:
        if attribute.type == attribute.GRAPH:
            yield attribute.g
        elif attribute.type == attribute.GRAPHS:
            yield from attribute.graphs


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and all bodies in it, however deep."""
    yield graph
    for node in graph.node:
        for body in bodies(node):
            yield from all_graphs(body)


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of all bodies in it."""
    for inner in all_graphs(graph):
        yield from inner.node


def captured(node: onnx.NodeProto) -> set[str]:
    """Names that the bodies of a node use, among them all that they take from outside."""
    names: set[str] = set()
    for body in bodies(node):
        for inner in all_graphs(body):
            names.update(name for n in inner.node for name in n.input)
            names.update(o.name for o in inner.output)
    return names


def chosen_branch(node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> onnx.GraphProto:
    """The branch that an If takes.

    Raises:
        Unsupported: its condition is computed at run time.
    """
    condition = inputs[0] if inputs else None
    if condition is None or condition.array is None:
        raise Unsupported("its condition is computed at run time")
    wanted = "then_branch" if condition.array.reshape(-1).any() else "else_branch"
    found = [attribute.g for attribute in node.attribute if attribute.name == wanted]
    if not found:
        raise Unsupported(f"it has no {wanted}")
    return found[0]
