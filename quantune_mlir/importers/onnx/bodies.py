"""Graphs inside of nodes: the bodies of control flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import onnx

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor

MOST_ROUNDS: Final = 256
"""Of a loop, each of which is written out."""


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


def known_rounds(count: Tensor | None) -> Iterator[int]:
    """The rounds of a Loop, which its condition may end before.

    Args:
        count: of them; None: it goes on as long as its condition says.

    Raises:
        Unsupported: they depend on values, or are too many.
    """
    if count is not None and count.array is None:
        raise Unsupported("a loop, whose number of rounds depends on values")
    rounds = None if count is None or count.array is None else int(count.array.reshape(()))
    if rounds is not None and rounds > MOST_ROUNDS:
        raise Unsupported(f"a loop of {rounds} rounds; up to {MOST_ROUNDS} are written out")
    yield from range(MOST_ROUNDS if rounds is None else rounds)
    if rounds is None:
        raise Unsupported(f"a loop of more than {MOST_ROUNDS} rounds; so many are written out")


def known_condition(goes_on: Tensor | None) -> bool:
    """Whether a Loop goes on.

    Raises:
        Unsupported: that depends on values.
    """
    if goes_on is None:
        return True
    if goes_on.array is None:
        raise Unsupported("a loop, whose end depends on values")
    return bool(goes_on.array.reshape(-1).any())
