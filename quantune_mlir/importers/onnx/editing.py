"""Changes to a model before it is imported: inputs pinned to constants, a part cut out between tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import ArrayLike

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.onnx.bodies import captured
from quantune_mlir.importers.onnx.signature import declared_shape, model_inputs


@dataclass(frozen=True)
class Edits:
    """What to change.

    Attributes:
        constants: inputs that become constants: a number, an array, a text of either ("16000", "1,2"), or an .npy file.
        inputs: the tensors that become the model's inputs; none: its own.
        outputs: the tensors that become the model's outputs; none: its own.
    """

    constants: Mapping[str, ArrayLike] = field(default_factory=dict)
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()

    @staticmethod
    def from_text(text: str) -> Edits:
        """Edits as `to_text` writes them."""
        return Edits(**json.loads(text))

    def to_text(self) -> str:
        """The edits as JSON, "" where there are none."""
        if not (self.constants or self.inputs or self.outputs):
            return ""
        values = {name: v if isinstance(v, str) else np.asarray(v).tolist() for name, v in self.constants.items()}
        return json.dumps({"constants": values, "inputs": list(self.inputs), "outputs": list(self.outputs)})

    def apply(self, model: onnx.ModelProto, where: str) -> onnx.ModelProto:
        """The changed model; the given one where there is nothing to change.

        Raises:
            ModelError: there is no such input or tensor, a value does not fit, or the part needs other inputs too.
        """
        if not (self.constants or self.inputs or self.outputs):
            return model
        edited = onnx.ModelProto()
        edited.CopyFrom(model)
        if self.inputs or self.outputs:
            _cut(edited, self.inputs, self.outputs or [o.name for o in model.graph.output], set(self.constants), where)
        for name, value in self.constants.items():
            _pin(edited.graph, name, value, where)
        return edited


NO_EDITS: Final = Edits()


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
    array = _fitted(_array(value, f"--constant {name}"), dtype, declared_shape(info), f"--constant {name}")
    graph.input.remove(info)
    graph.initializer.append(onnx.numpy_helper.from_array(array, name))


def _array(value: Any, where: str) -> np.ndarray:
    if not isinstance(value, str):
        return np.asarray(value)
    try:
        if value.endswith(".npy"):
            return np.load(Path(value), allow_pickle=False)
        words = {"true": "1", "false": "0"}
        numbers = [words.get(part.strip().lower(), part) for part in value.split(",")]
        integers = all(part.strip().lstrip("+-").isdigit() for part in numbers)
        array = np.array([int(part) if integers else float(part) for part in numbers])
    except (ValueError, OSError, EOFError) as error:
        raise ModelError(
            f"not a value: {error}", where=where, remedy="give a number, numbers with commas, or an .npy file"
        ) from error
    return array if "," in value else array.reshape(())


def _fitted(array: np.ndarray, dtype: np.dtype, shape: Sequence[int | None] | None, where: str) -> np.ndarray:
    """The array in the input's type and shape; one number fills the shape, whose dynamic dimensions become 1."""
    if shape is not None and array.size == 1:
        array = np.full([size or 1 for size in shape], array.reshape(()))
    elif shape is not None and array.ndim == 1 and array.size == math.prod(size or 0 for size in shape):
        array = array.reshape([size or 0 for size in shape])
    fits = shape is None or (
        len(shape) == array.ndim and all(k in (None, s) for k, s in zip(shape, array.shape, strict=True))
    )
    with np.errstate(all="ignore"):
        converted = array.astype(dtype)
    exact = dtype.kind == "f" or (converted.astype(np.float64) == array.astype(np.float64)).all()
    if not fits or not exact:
        wanted = "a tensor" if shape is None else "x".join(str(s or "?") for s in shape) or "one number"
        raise ModelError(
            f"the value does not fit the input, which is {wanted} of {dtype}", where=where, remedy="give such a value"
        )
    return converted
