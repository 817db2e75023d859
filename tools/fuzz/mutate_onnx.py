"""ONNX models with a few fields changed: attributes, dimensions, types, stored data, wires between nodes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tools.fuzz.mutate import NUMBERS, REALS, WORDS, mutated_array, mutated_bytes

_OPERATORS: Final = sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""})


def mutated_model(data: bytes, rng: random.Random) -> bytes:
    """A serialized model with one to four changes."""
    model = onnx.ModelProto()
    model.ParseFromString(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        try:
            rng.choice(_CHANGES)(model, rng)
        except Exception:  # nothing there to change, or protobuf cannot hold it
            continue
    changed = model.SerializeToString()
    return mutated_bytes(changed, rng) if rng.random() < 0.08 else changed


def _node(model: onnx.ModelProto, rng: random.Random) -> onnx.NodeProto:
    return rng.choice(list(model.graph.node))


def _tensor(model: onnx.ModelProto, rng: random.Random) -> onnx.TensorProto:
    values = [a.t for n in model.graph.node for a in n.attribute if a.type == onnx.AttributeProto.TENSOR]
    return rng.choice([*model.graph.initializer, *values])


def _change_attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    attribute = rng.choice([a for n in model.graph.node for a in n.attribute])
    if attribute.type == onnx.AttributeProto.INT:
        attribute.i = rng.choice(NUMBERS)
    elif attribute.type == onnx.AttributeProto.INTS and attribute.ints:
        if rng.random() < 0.3:
            attribute.ints.append(rng.choice(NUMBERS))
        else:
            attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(NUMBERS)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = rng.choice(REALS)
    elif attribute.type == onnx.AttributeProto.STRING:
        attribute.s = rng.choice(WORDS).encode()


def _drop_attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    del node.attribute[rng.randrange(len(node.attribute))]


def _add_attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    given = {a.name for a in node.attribute}
    name = rng.choice(sorted(set(onnx.defs.get_schema(node.op_type).attributes) - given))
    integers = [rng.choice(NUMBERS[:8]) for _ in range(rng.randrange(1, 5))]
    kinds = [rng.choice(NUMBERS), rng.choice(REALS), rng.choice(WORDS), integers]
    kind = int(onnx.defs.get_schema(node.op_type).attributes[name].type)  # type: ignore[arg-type]
    value = {2: kinds[0], 1: kinds[1], 3: kinds[2], 7: integers}.get(kind, rng.choice(kinds))
    node.attribute.append(helper.make_attribute(name, value))


def _change_operator(model: onnx.ModelProto, rng: random.Random) -> None:
    _node(model, rng).op_type = rng.choice(_OPERATORS)


def _rewire(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    names = [name for n in model.graph.node for name in (*n.input, *n.output)] + ["", "nowhere"]
    node.input[rng.randrange(len(node.input))] = rng.choice(names)


def _change_wires(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    rng.choice([lambda: node.input.append(rng.choice(node.input)), node.input.pop, node.output.pop])()


def _double_node(model: onnx.ModelProto, rng: random.Random) -> None:
    at = rng.randrange(len(model.graph.node))
    copy = onnx.NodeProto()
    copy.CopyFrom(model.graph.node[at])
    copy.output[:] = [f"{name}_again" for name in copy.output]
    model.graph.node.insert(at + 1, copy)
    if rng.random() < 0.7:
        for node in model.graph.node[at + 2 :]:
            node.input[:] = [f"{name}_again" if name in model.graph.node[at].output else name for name in node.input]


def _drop_node(model: onnx.ModelProto, rng: random.Random) -> None:
    del model.graph.node[rng.randrange(len(model.graph.node))]


def _rename(model: onnx.ModelProto, rng: random.Random) -> None:
    _node(model, rng).name = rng.choice(WORDS)


def _change_dimension(model: onnx.ModelProto, rng: random.Random) -> None:
    info = rng.choice([*model.graph.input, *model.graph.output])
    dimensions = info.type.tensor_type.shape.dim
    if rng.random() < 0.2:
        dimensions.add().dim_value = rng.choice(NUMBERS)
    else:
        dimensions[rng.randrange(len(dimensions))].dim_value = rng.choice(NUMBERS)


def _change_type(model: onnx.ModelProto, rng: random.Random) -> None:
    info = rng.choice([*model.graph.input, *model.graph.output])
    info.type.tensor_type.elem_type = rng.choice([0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 14, 16, 17, 21, 23, 65])


def _change_stored(model: onnx.ModelProto, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    action = rng.randrange(5)
    if action == 0:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
    elif action == 1:
        tensor.data_type = rng.randrange(30)
    elif action == 2:
        tensor.raw_data = tensor.raw_data[:-1]
    elif action == 3:
        tensor.external_data.add(key="location", value=rng.choice(WORDS))
        tensor.data_location = onnx.TensorProto.EXTERNAL
    else:
        array = mutated_array(np.array(numpy_helper.to_array(tensor)), rng)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _make_constant(model: onnx.ModelProto, rng: random.Random) -> None:
    """An input of the model becomes a constant, so that what follows is folded."""
    info = rng.choice(list(model.graph.input))
    shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
    if 0 <= np.prod(shape, dtype=np.float64) < 1e5:
        dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        model.graph.initializer.append(numpy_helper.from_array(np.ones(shape, dtype), info.name))


def _change_opset(model: onnx.ModelProto, rng: random.Random) -> None:
    rng.choice(list(model.opset_import)).version = rng.choice([0, 6, 7, 9, 11, 13, 17, 18, 22, 28, 99, -1])


_CHANGES: Final[tuple[Callable[[onnx.ModelProto, random.Random], None], ...]] = (
    *(_change_attribute, _change_attribute, _change_attribute, _drop_attribute, _add_attribute, _add_attribute),
    *(_change_operator, _rewire, _change_wires, _double_node, _drop_node, _rename, _change_dimension, _change_type),
    *(_change_stored, _change_stored, _make_constant, _change_opset),
)
