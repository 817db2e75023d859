"""An ONNX graph that is being changed: who makes and who reads a tensor, which are constant, names that are free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from quantune_mlir.importers.onnx.bodies import captured
from quantune_mlir.importers.onnx.naming import NodeNames
from quantune_mlir.importers.onnx.stored import stored_array

_OF_CONSTANTS: Final = {
    *("Cast", "Concat", "Constant", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze"),
    *("Transpose", "Unsqueeze", "Add", "Div", "Mul", "Neg", "Reciprocal", "Sqrt", "Sub"),
}
"""What is evaluated where weights are computed from constants."""


class OnnxGraph:
    """The nodes of a model by name, in order; each node has the name of its layer."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        graph = model.graph
        for node, name in zip(graph.node, NodeNames().of(graph.node), strict=True):
            node.name = name
        self.nodes = list(graph.node)
        self.outputs = {output.name for output in graph.output}
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._known: dict[str, NDArray[np.generic] | None] = {}
        self._taken = {name for node in self.nodes for name in (*node.input, *node.output, node.name)}
        self._taken |= {info.name for info in (*graph.input, *graph.output, *graph.initializer)}
        self._ranks: dict[str, list[int | None]] | None = None
        self.index()

    def index(self) -> None:
        """To be called after nodes have changed."""
        self.maker = {output: node for node in self.nodes for output in node.output if output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in dict.fromkeys((*node.input, *captured(node))):
                self.readers.setdefault(name, []).append(node)

    def only_reader(self, name: str) -> onnx.NodeProto | None:
        """The one node that reads a tensor, if nothing else does."""
        mine = self.readers.get(name, [])
        return mine[0] if len(mine) == 1 and name not in self.outputs else None

    def constant(self, name: str) -> NDArray[np.generic] | None:
        """The array of a tensor that depends on stored ones only; None of another."""
        if name not in self._known:
            self._known[name] = self._evaluated(name)
        return self._known[name]

    def _evaluated(self, name: str) -> NDArray[np.generic] | None:
        if name in self._stored:
            return stored_array(self._stored[name])
        node = self.maker.get(name)
        if node is None or node.op_type not in _OF_CONSTANTS or len(node.output) != 1:
            return None
        inputs = {i: self.constant(i) for i in node.input if i}
        if any(array is None for array in inputs.values()):
            return None
        from onnx.reference import ReferenceEvaluator  # slow to import, and few models need it

        graph = onnx.helper.make_graph([node], "constant", [], [onnx.ValueInfoProto(name=name)])
        graph.input.extend(onnx.ValueInfoProto(name=i) for i in inputs)
        model = onnx.helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)
        (result,) = ReferenceEvaluator(model).run([name], inputs)
        return np.asarray(result)

    def shape(self, name: str) -> list[int | None] | None:
        """The shape of a tensor as far as ONNX can infer it."""
        if self._ranks is None:
            inferred = onnx.shape_inference.infer_shapes(self.model).graph
            self._ranks = {
                info.name: [d.dim_value or None for d in info.type.tensor_type.shape.dim]
                for info in (*inferred.value_info, *inferred.input, *inferred.output)
                if info.type.tensor_type.HasField("shape")
            }
        return self._ranks.get(name)

    def free(self, name: str) -> str:
        """A name like `name` that nothing has; it is taken then."""
        number, found = 0, name
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found

    def store(self, array: NDArray[np.generic], name: str) -> str:
        """A new stored tensor; its name."""
        name = self.free(name)
        self.model.graph.initializer.append(
            onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        )
        return name

    def write(self, nodes: Iterable[onnx.NodeProto]) -> None:
        """Let these, in order, be the nodes; what none of them needs goes."""
        kept: list[onnx.NodeProto] = []
        needed = set(self.outputs)
        for node in reversed(list(nodes)):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update((*node.input, *captured(node)))
        graph = self.model.graph
        stored = [tensor for tensor in graph.initializer if tensor.name in needed]
        made = {output for node in kept for output in node.output}
        infos = [info for info in graph.value_info if info.name in made]
        inputs = [info for info in graph.input if info.name in needed or info.name not in self._stored]
        for field, content in (("node", kept[::-1]), ("initializer", stored), ("value_info", infos), ("input", inputs)):
            copies = [type(each).FromString(each.SerializeToString()) for each in content]
            graph.ClearField(field)
            getattr(graph, field).extend(copies)
