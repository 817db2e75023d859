"""What a plan has to know of the network: its layers in graph order and who feeds whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LayerNode:
    """One layer.

    Attributes:
        name: the layer's name.
        op: the op type of its node in the model.
        quantizable: whether it has an int8 form.
        macs: multiply-accumulates per inference; 0 for layers that only pass on, add or activate.
        inputs: names of the layers that feed it; graph inputs and constants are left out.
        fp32_only: why it has no int8 form, if others of its op do.
    """

    name: str
    op: str
    quantizable: bool
    macs: int
    inputs: tuple[str, ...] = ()
    fp32_only: str | None = None

    @property
    def without_int8(self) -> str:
        """Why a layer that is not quantizable is fp32."""
        return self.fp32_only or f"{self.op} has no int8 form"


def tail_of(graph: Sequence[LayerNode], free: Collection[str]) -> dict[str, set[str]]:
    """The `free` layers after which there are no multiply-accumulates, last first, with the free ones that read each.

    Layers that are not free pass on what they read.
    """
    readers: dict[str, set[str]] = {node.name: set() for node in graph}
    before_macs: set[str] = set()
    found: dict[str, set[str]] = {}
    for node in reversed(graph):
        if node.macs or node.name in before_macs:
            before_macs.update(node.inputs)
        elif node.name in free:
            found[node.name] = readers[node.name]
        for name in node.inputs:
            readers[name] |= {node.name} if node.name in free else readers[node.name]
    return found
