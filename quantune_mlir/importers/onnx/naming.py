"""One name per node."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from quantune_mlir.importers.onnx.torch_scopes import module_names


class NodeNames:
    """Gives each node of a model a name of its own, graph after graph.

    It is that of the PyTorch module that the node comes from, else the node's own, else op type and number, e.g.
    "Conv_3" for the fourth Conv. A name that occurs again gets a number appended. The result depends on nothing but the
    nodes' order.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def of(self, nodes: Sequence[onnx.NodeProto]) -> list[str]:
        """The names of the nodes of one graph; a node without a name gets none that another of them has."""
        given = [module or node.name for module, node in zip(module_names(nodes), nodes, strict=True)]
        own = {name for name in given if name} | self._taken
        return [self._name(node, name, own) for node, name in zip(nodes, given, strict=True)]

    def _name(self, node: onnx.NodeProto, given: str, own: set[str]) -> str:
        index = self._counts.get(node.op_type, 0)
        self._counts[node.op_type] = index + 1
        if given and given not in self._taken:
            name = given
        else:
            name = _free(given or node.op_type, 1 if given else index, own | self._taken)
        self._taken.add(name)
        return name


def _free(stem: str, number: int, taken: set[str]) -> str:
    while f"{stem}_{number}" in taken:
        number += 1
    return f"{stem}_{number}"
