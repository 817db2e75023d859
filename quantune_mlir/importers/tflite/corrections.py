"""What the converter computes otherwise than TensorFlow Lite, written as it should be.

- It leaves out the activations that poolings have of their own.
- GELU is always converted to its approximation by tanh, whatever the model says.
- A cast to integers drops the fraction; TOSA's rounds to the nearest.
- FLOOR_MOD comes out divided by the divisor.
- The nearest neighbour, with neither `align_corners` nor `half_pixel_centers`, is the one before; TOSA's is the nearer
  one, so that positions are moved by half an element.

Found by comparing each operator with LiteRT (tests/unit/importers/tflite/test_operators.py), version 2026.2.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from quantune_mlir.importers.tflite.labels import ACTIVATION, layer_names
from quantune_mlir.importers.tflite.model_file import ModelFile, OperatorInfo
from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value, is_constant, shape_constant
from quantune_mlir.mlir.edit import shape_of, users
from quantune_mlir.mlir.tosa.build import clamp, elementwise, mul

_POOLINGS: Final = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
_BOUNDS: Final = {1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""What activations of operators clamp to, by their numbers in the schema."""


def correct(block: ir.Block, model: ModelFile) -> None:
    """Rewrite the layers concerned; ops that are not needed any more are left unused."""
    inside: defaultdict[str, list[ir.Operation]] = defaultdict(list)
    for view in block.operations:
        op = view.operation
        if LAYER in op.attributes:
            inside[ir.StringAttr(op.attributes[LAYER]).value].append(op)
    for operator, layer in layer_names(model).items():
        ops = inside[layer]
        if ops and _is_fp32(ops[-1].results[0] if operator.kind != "CAST" else ops[-1].operands[0]):
            _correct(operator, ops)


def _correct(operator: OperatorInfo, ops: Sequence[ir.Operation]) -> None:
    kind = operator.kind
    if kind in _POOLINGS and (bounds := _BOUNDS.get(_option(operator, 5))) is not None:
        _clamped(ops[-1], *bounds)
    elif kind == "GELU" and not _option(operator, 0):
        _exact_gelu(ops)
    elif kind == "CAST" and "f32" not in str(ops[-1].results[0].type):
        _truncated(ops[-1])
    elif kind == "FLOOR_MOD":
        _remainder(ops)
    elif kind == "RESIZE_NEAREST_NEIGHBOR" and not _option(operator, 0) and not _option(operator, 1):
        for op in ops:
            if op.name == "tosa.resize":
                _round_down(op)


def _option(operator: OperatorInfo, slot: int) -> int:
    return 0 if operator.options is None else operator.options.scalar(slot, "b", 0)


def _is_fp32(value: ir.Value) -> bool:
    return isinstance(value.type, ir.RankedTensorType) and isinstance(value.type.element_type, ir.F32Type)


def _clamped(pooling: ir.Operation, low: float, high: float) -> None:
    with pooling.location, _after(pooling):
        value = clamp(pooling.results[0], low, high)
    layer = ir.StringAttr(pooling.attributes[LAYER]).value
    value.owner.attributes[LAYER] = ir.StringAttr.get(f"{layer}/{ACTIVATION}")
    value.owner.attributes[OP] = ir.StringAttr.get("Relu")
    _use_instead(pooling.results[0], value, but=value.owner)


def _exact_gelu(ops: Sequence[ir.Operation]) -> None:
    """x / 2 (1 + erf(x / sqrt 2))."""
    x = next((value for op in ops for value in op.operands if not is_constant(value)), None)
    if x is None:
        return
    with ops[-1].location, _after(ops[-1]):
        error = elementwise("erf", _labelled(mul(x, _number(math.sqrt(0.5), x)), ops[-1]))
        one_more = elementwise("add", _labelled(error, ops[-1]), _number(1.0, x))
        whole = mul(x, _labelled(one_more, ops[-1]))
        half = _labelled(mul(_labelled(whole, ops[-1]), _number(0.5, x)), ops[-1])
    ops[-1].results[0].replace_all_uses_with(half)


def _truncated(cast: ir.Operation) -> None:
    """Towards zero: down where it is positive, up where it is not."""
    x = cast.operands[0]
    with cast.location, ir.InsertionPoint(cast):
        down, up = (_labelled(elementwise(name, x), cast) for name in ("floor", "ceil"))
        positive = elementwise("greater_equal", x, _number(0.0, x), element=ir.IntegerType.get_signless(1))
        cast.operands[0] = _labelled(elementwise("select", _labelled(positive, cast), down, up), cast)


def _remainder(ops: Sequence[ir.Operation]) -> None:
    """The fraction of x / y times y; 1 / y is a constant, or computed."""
    inverse = next((op.operands[1] for op in ops if op.name == "tosa.mul"), None)
    scale = None if inverse is None else constant_value(inverse)
    if inverse is None or (scale is None and isinstance(inverse, ir.BlockArgument)):
        return
    with ops[-1].location, _after(ops[-1]):
        divisor = inverse.owner.operands[0] if scale is None else constant((1 / scale).astype(np.float32))
        value = _labelled(mul(ops[-1].results[0], divisor), ops[-1])
    _use_instead(ops[-1].results[0], value, but=value.owner)


def _round_down(op: ir.Operation) -> None:
    scale, offset, border = (constant_value(operand) for operand in list(op.operands)[1:])
    if scale is None or offset is None or border is None:
        return
    factor = 2 if (scale[::2] % 2).any() else 1
    half = factor * scale[::2] // 2
    with op.location, ir.InsertionPoint(op):
        for number, values in ((1, factor * scale), (2, factor * offset - half), (3, factor * border - half)):
            op.operands[number] = shape_constant([int(value) for value in values])


def _number(value: float, like: ir.Value) -> ir.Value:
    return constant(np.full((1,) * len(shape_of(like)), value, np.float32))


def _labelled(value: ir.Value, like: ir.Operation) -> ir.Value:
    for name in (LAYER, OP):
        value.owner.attributes[name] = like.attributes[name]
    return value


def _after(op: ir.Operation) -> ir.InsertionPoint:
    return ir.InsertionPoint.after(op)


def _use_instead(old: ir.Value, new: ir.Value, *, but: ir.Operation) -> None:
    """Let `new` stand for `old` everywhere but in the op that makes it of it."""
    for user in users(old):
        if user != but:
            for number, operand in enumerate(user.operands):
                if operand == old:
                    user.operands[number] = new
