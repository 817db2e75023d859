"""How each ONNX tensor is stored under a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import onnx

from quantune_mlir.backend.deliverables.qdq.onnx_graph import OnnxGraph
from quantune_mlir.backend.deliverables.qdq.planned import FP32, PlannedModel, Stored
from quantune_mlir.graph.units import SHARING, Unit
from quantune_mlir.mlir.bindings import ir

_MOVES: Final = {
    *("Dropout", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"),
}
"""What the simplified model may have no trace of, as it only changes shapes."""


class StoredTensors:
    """The tensors of a graph whose folded nodes are gone, and which node takes the int8 form of what it reads."""

    def __init__(self, graph: OnnxGraph, planned: PlannedModel, known: Mapping[str, Stored]) -> None:
        """`known` are tensors made by something else than the node that makes them in the model."""
        self._graph = graph
        self._planned = planned
        self._stored = {name: planned.stored(value) for name, value in planned.inputs.items()}
        for node in graph.nodes:
            made = self._results(node)
            self._stored.update({name: known.get(name, made) for name in node.output if name})

    def __getitem__(self, name: str) -> Stored:
        return self._stored.get(name, FP32)

    def complete(self, name: str, product: Unit) -> None:
        """Let what an int8 product reads have its parameters, where no node of the graph tells of its rounding."""
        if not self._planned.in_int8(product.output) or self[name].params is not None:
            return
        params = next((self._planned.params[value] for value in product.inputs if value in self._planned.params), None)
        self._stored[name] = Stored(params, False)

    def is_read_in_int8(self, name: str, node: onnx.NodeProto) -> bool:
        """Whether a node reads the int8 form of a tensor: there is no other, or its layer computes in int8."""
        params, only_int8 = self[name]
        return only_int8 or (params is not None and self._planned.reads_int8(self._layer(node)))

    def _results(self, node: onnx.NodeProto) -> Stored:
        units = self._planned.units.get(node.name)
        if units is None:
            return self[node.input[0]] if node.input and self._only_moves(node) else FP32
        if sum(map(bool, node.output)) == 1:
            return self._planned.stored(units[-1].output)
        alike = {self._planned.stored(unit.output) for unit in units if not self._read_inside(unit.output, node)}
        return alike.pop() if len(alike) == 1 and all(unit.kind in SHARING for unit in units) else FP32

    def _read_inside(self, value: ir.Value, node: onnx.NodeProto) -> bool:
        return any(value in unit.inputs for unit in self._planned.units[node.name])

    def _only_moves(self, node: onnx.NodeProto) -> bool:
        if node.op_type == "Pad":
            constant = self._graph.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
            mode = next((a.s for a in node.attribute if a.name == "mode"), b"constant")
            return (
                mode != b"constant"
                or (constant is None and len(node.input) < 3)
                or not (constant is None or constant.any())
            )
        return node.op_type in _MOVES

    def _layer(self, node: onnx.NodeProto) -> str:
        """The layer that a node is part of: its own, or that of the function that ends behind it."""
        seen = {node.name}
        while node.name not in self._planned.units and not self._only_moves(node):
            following = [reader for name in node.output for reader in self._graph.readers.get(name, [])]
            fresh = [reader for reader in following if reader.name not in seen]
            if not fresh:
                break
            node = fresh[0]
            seen.add(node.name)
        return node.name
