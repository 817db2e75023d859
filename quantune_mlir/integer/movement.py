"""Ops that move or select elements, windowed averages and concatenations: the same op on i8, parameters unchanged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantune_mlir.integer.emitter import Emitter, Quantized, shape_of
from quantune_mlir.ir.constants import constant_value
from quantune_mlir.ir.mlir import ir, tosa
from quantune_mlir.ir.units import Unit
from quantune_mlir.numerics.parameters import quantize


def emit_movement(emitter: Emitter, unit: Unit, inputs: Sequence[Quantized]) -> ir.Value:
    """The op of `unit` on i8 operands; a pad value becomes its quantized form."""
    op = unit.op
    quantized = dict(zip(unit.inputs, (tensor.value for tensor in inputs), strict=True))
    operands = [quantized.get(operand, operand) for operand in op.operands]
    if op.name == "tosa.pad":
        fill = constant_value(op.operands[2])
        assert fill is not None
        operands[2] = emitter.constant(quantize(fill, inputs[0].params))
    return emitter.clone(op, operands, emitter.i8)


def emit_average(emitter: Emitter, unit: Unit, inputs: Sequence[Quantized]) -> ir.Value:
    """avg_pool2d, accumulated in i32."""
    (source,) = inputs
    op = unit.op
    zero_point = emitter.scalar(source.params.zero_point, np.int8)
    return emitter.build(
        tosa.AvgPool2dOp,
        emitter.i8,
        shape_of(unit.output),
        source.value,
        zero_point,
        zero_point,
        op.attributes["kernel"],
        op.attributes["stride"],
        op.attributes["pad"],
        acc_type=ir.TypeAttr.get(emitter.i32),
    )
