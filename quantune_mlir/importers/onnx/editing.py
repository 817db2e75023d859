"""An ONNX graph with its inputs pinned to constants, and a part of it cut out between tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.common.edits import Edits, pinned_value
from quantune_mlir.importers.onnx.bodies import captured
from quantune_mlir.importers.onnx.signature import declared_shape, model_inputs


def apply_edits(edits: Edits, model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """The changed model; the given one where there is nothing to change.

    Raises:
        ModelError: there is no such input or tensor, a value does not fit, or the part needs other inputs too.
    """
    if not edits:
        return model
    edited = onnx.ModelProto()
    edited.CopyFrom(model)
    if edits.inputs or edits.outputs:
        _cut(edited, edits.inputs, edits.outputs or [o.name for o in model.graph.output], set(edits.constants), where)
    for name, value in edits.constants.items():
        _pin(edited.graph, name, value, where)
    return edited


def _cut(
    model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str], constants: set[str], where: str
) -> None:
    graph = model.graph
    own = {i.name: i for i in model_inputs(graph)}
    made = {name for node in graph.node for name in node.output if name}
    for name in [*inputs, *outputs]:
        if name not in made and (name not in own or name not in inputs):
            raise ModelError(
                f"there is no tensor {name!r}", where=where, remedy="give names of tensors, which are nodes' outputs"
            )
    needed = {name for name in outputs if name not in inputs}
    kept: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if needed.intersection(node.output) - set(inputs):
            kept.append(node)
            needed.update(name for name in (*node.input, *captured(node)) if name)
    missing = [name for name in own if name in needed and inputs and name not in inputs and name not in constants]
    unread = [name for name in inputs if name not in needed]
    if missing or unread:
        what = f"needs the input {missing[0]!r} too" if missing else f"does not read {unread[0]!r}"
        raise ModelError(
            f"what leads to {', '.join(map(repr, outputs))} {what}",
            where=where,
            remedy="name each tensor at which the part begins in --inputs, and no other",
        )
    wanted = [*inputs, *(name for name in own if name in constants and name not in inputs)] if inputs else list(own)
    infos = [own[name] if name in own else _info(model, name) for name in wanted if name in needed]
    results = [_info(model, name) for name in outputs]
    fresh = onnx.helper.make_graph(kept[::-1], graph.name, infos, results)  # a copy, before what it is made of goes
    for field_name in ("node", "input", "output"):
        graph.ClearField(field_name)
    graph.node.extend(fresh.node)
    graph.input.extend(fresh.input)
    graph.output.extend(fresh.output)


def _info(model: onnx.ModelProto, name: str) -> onnx.ValueInfoProto:
    """What is known of a tensor's type: what the model declares, or what can be inferred."""
    graph = model.graph
    declared = {i.name: i for i in (*graph.value_info, *graph.output) if i.type.tensor_type.elem_type}
    if name not in declared:
        try:
            graph = onnx.shape_inference.infer_shapes(model).graph
        except (onnx.shape_inference.InferenceError, ValueError):
            graph = model.graph
        declared = {i.name: i for i in (*graph.value_info, *graph.output)}
    unknown = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
    return declared.get(name, unknown)


def _pin(graph: onnx.GraphProto, name: str, value: Any, where: str) -> None:
    inputs = {i.name: i for i in model_inputs(graph)}
    if name not in inputs:
        found = ", ".join(inputs) or "none"
        raise ModelError(f"there is no input {name!r} to pin", where=where, remedy=f"the inputs are {found}")
    info = inputs[name]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
    array = pinned_value(name, value, dtype, declared_shape(info))
    graph.input.remove(info)
    graph.initializer.append(onnx.numpy_helper.from_array(array, name))
