"""One name per node."""

from __future__ import annotations

from collections.abc import Sequence

import onnx


def node_names(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """A unique name for each node: its own, else op type and number, e.g. "Conv_3" for the fourth Conv.

    A name that occurs again gets a number appended. The result depends on nothing but the nodes' order.
    """
    taken = {n.name for n in nodes if n.name}
    seen: set[str] = set()
    counts: dict[str, int] = {}
    result = []
    for node in nodes:
        index = counts.get(node.op_type, 0)
        counts[node.op_type] = index + 1
        if node.name and node.name not in seen:
            name = node.name
        else:
            name = _free(node.name or node.op_type, 1 if node.name else index, taken)
        taken.add(name)
        seen.add(name)
        result.append(name)
    return result


def _free(stem: str, number: int, taken: set[str]) -> str:
    while f"{stem}_{number}" in taken:
        number += 1
    return f"{stem}_{number}"
