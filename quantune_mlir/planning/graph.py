"""What a plan has to know of the network: its layers in graph order and who feeds whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerNode:
    """One layer.

    Attributes:
        name: the layer's name.
        op: the op type of its ONNX node.
        quantizable: whether it has an int8 form.
        macs: multiply-accumulates per inference; 0 for layers that only pass on, add or activate.
        inputs: names of the layers that feed it; graph inputs and constants are left out.
    """

    name: str
    op: str
    quantizable: bool
    macs: int
    inputs: tuple[str, ...] = ()
