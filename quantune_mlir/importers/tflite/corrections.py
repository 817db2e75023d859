"""What the converter computes otherwise than TensorFlow Lite, written as it should be."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from quantune_mlir.importers.tflite.labels import layer_names
from quantune_mlir.importers.tflite.model_file import ModelFile
from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value, is_constant, shape_constant
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa.build import elementwise, mul


def correct(block: ir.Block, model: ModelFile) -> None:
    """Rewrite the layers concerned; ops that are not needed any more are left unused.

    - GELU is always converted to its approximation by tanh. Where the model asks for the error function, it is used.
    - The nearest neighbour, with neither `align_corners` nor `half_pixel_centers`, is the one before. TOSA takes the
      nearer one, so that positions are moved by half an element.
    """
    inside: defaultdict[str, list[ir.Operation]] = defaultdict(list)
    for view in block.operations:
        op = view.operation
        if LAYER in op.attributes:
            inside[ir.StringAttr(op.attributes[LAYER]).value].append(op)
    for operator, layer in layer_names(model).items():
        if any(operator.flags) or not inside[layer]:
            continue
        if operator.kind == "GELU":
            _exact_gelu(layer, inside[layer])
        elif operator.kind == "RESIZE_NEAREST_NEIGHBOR":
            for op in inside[layer]:
                if op.name == "tosa.resize":
                    _round_down(op)


def _exact_gelu(layer: str, ops: list[ir.Operation]) -> None:
    """x / 2 (1 + erf(x / sqrt 2))."""
    x = next((value for op in ops for value in op.operands if not is_constant(value)), None)
    if x is None or not isinstance(ir.RankedTensorType(x.type).element_type, ir.F32Type):
        return
    last, rank = ops[-1], len(shape_of(x))
    with last.location, ir.InsertionPoint(last):
        values = [mul(x, _number(math.sqrt(0.5), rank))]
        values.append(elementwise("erf", values[-1]))
        values.append(elementwise("add", values[-1], _number(1.0, rank)))
        values.append(mul(x, values[-1]))
        values.append(mul(values[-1], _number(0.5, rank)))
        for value in values:
            value.owner.attributes[LAYER] = ir.StringAttr.get(layer)
            value.owner.attributes[OP] = ir.StringAttr.get("GELU")
    last.results[0].replace_all_uses_with(values[-1])


def _number(value: float, rank: int) -> ir.Value:
    return constant(np.full((1,) * rank, value, np.float32))


def _round_down(op: ir.Operation) -> None:
    scale, offset, border = (constant_value(operand) for operand in list(op.operands)[1:])
    if scale is None or offset is None or border is None:
        return
    factor = 2 if (scale[::2] % 2).any() else 1
    half = factor * scale[::2] // 2
    with op.location, ir.InsertionPoint(op):
        for number, values in ((1, factor * scale), (2, factor * offset - half), (3, factor * border - half)):
            op.operands[number] = shape_constant([int(value) for value in values])
