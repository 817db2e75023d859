"""Layers of the converter's module: which tensor, hence which operator, each op belongs to."""

from __future__ import annotations

from collections import Counter
from typing import Final

from quantune_mlir.importers.tflite.model_file import ModelFile, OperatorInfo
from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONSTANTS
from quantune_mlir.mlir.location_names import location_names

_ACTIVATED_NAMES: Final = """
CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED TRANSPOSE_CONV CONV_3D ADD SUB MUL DIV AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D
CONCATENATION SVDF
"""
_ACTIVATED: Final = frozenset(_ACTIVATED_NAMES.split())
"""Operators with an activation of their own, which TOSA has as an op that follows."""
_ACTIVATIONS: Final = {"clamp": "Relu", "tanh": "Tanh"}
ACTIVATION: Final = "activation"


def label_layers(block: ir.Block, model: ModelFile) -> dict[str, ir.Value]:
    """Give each op of a function the layer and the kind of the operator that it comes from.

    A layer is called as its operator's first output. TensorFlow Lite joins the names of all nodes that an output stands
    for: the first of them is taken, with a number where it is taken already. An activation that an operator has of its
    own is the layer NAME/activation. Operators without names are called after their TOSA ops, with numbers.

    Returns:
        The values of the operators' outputs, by the names of their tensors and of their layers.
    """
    values: dict[str, ir.Value] = {}
    layers = layer_names(model)
    owners = {model.tensors[number].name: op for op in model.operators for number in op.outputs}
    unnamed: Counter[str] = Counter()
    for view in block.operations:
        op = view.operation
        if op.name in CONSTANTS or op.name == "func.return":
            continue
        function = op.name.rpartition(".")[2]
        tensor = next((name for name in location_names(op.location) if name in owners), "")
        if tensor:
            layer, kind = layers[owners[tensor]], owners[tensor].kind
        else:
            kind = function
            layer = f"{kind}_{unnamed[kind]}"
            unnamed[kind] += 1
        if kind in _ACTIVATED and function in _ACTIVATIONS:
            layer, kind = f"{layer}/{ACTIVATION}", _ACTIVATIONS[function]
        if len(op.results):
            values.update(dict.fromkeys((tensor, layer), op.results[0]))
        op.attributes[LAYER] = ir.StringAttr.get(layer)
        op.attributes[OP] = ir.StringAttr.get(kind)
    return values


def layer_names(model: ModelFile) -> dict[OperatorInfo, str]:
    """What each operator's layer is called."""
    taken: set[str] = set()
    names: dict[OperatorInfo, str] = {}
    for op in model.operators:
        tensor = model.tensors[op.outputs[0]].name if op.outputs else ""
        stem = tensor.partition(";")[0] or op.kind
        name, number = stem, 0
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        names[op] = name
    return names
