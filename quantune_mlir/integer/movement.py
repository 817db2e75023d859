"""Ops that move, select or compare elements, averages, concatenations: the same on integers, with their parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantune_mlir.graph.tensors import joined_constants
from quantune_mlir.graph.units import Unit
from quantune_mlir.integer.boundary import multiply
from quantune_mlir.integer.epilogue import narrow, rescale
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.resizing import parts_of
from quantune_mlir.numerics.accumulators import excess_bits, reach
from quantune_mlir.numerics.formats import INT16_ACTIVATIONS
from quantune_mlir.numerics.parameters import quantize


def emit_movement(emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized]) -> ir.Value:
    """The op of `unit` on integers; its fp32 constants (`joined_constants`) take the parameters of the rest."""
    return emitter.clone(unit.op, _operands(emitter, unit, inputs), emitter.stored(inputs[0].params))


def emit_extreme(emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized]) -> ir.Value:
    """The larger or smaller of two tensors, compared in i32: TOSA does so in nothing shorter."""
    stored = emitter.stored(inputs[0].params)

    def converted(value: ir.Value, element: ir.Type) -> ir.Value:
        return rescale(emitter, value, 1.0, input_zp=0, output_zp=0, element=element)

    wide = [converted(value, emitter.i32) for value in _operands(emitter, unit, inputs)]
    return converted(emitter.clone(unit.op, wide, emitter.i32), stored)


def _operands(emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized]) -> list[ir.Value]:
    """Those of the unit's op, in integers of the first input's parameters where they are activations or joined."""
    quantized = dict(zip(unit.inputs, (tensor.value for tensor in inputs), strict=True))
    for operand, array in joined_constants(unit).items():
        quantized[operand] = emitter.constant(quantize(array, inputs[0].params))
    return [quantized.get(operand, operand) for operand in unit.op.operands]


def emit_average(emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized]) -> ir.Value:
    """avg_pool2d, accumulated in i32."""
    (source,) = inputs
    op = unit.op
    zero_point = emitter.scalar(source.params.zero_point, source.params.dtype)
    window = {name: op.attributes[name] for name in ("kernel", "stride", "pad")}
    zero_points = zero_point, zero_point
    return emitter.emit(build.avg_pool, source.value, zero_points, shape_of(unit.output), emitter.i32, window)


def emit_interpolation(
    emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized], options: IntegerOptions
) -> ir.Value:
    """A bilinear resize: sums of codes times their shares, over what the shares add up to."""
    (source,) = inputs
    params, parts = source.params, parts_of(unit.op)
    wide = params.codes == INT16_ACTIVATIONS
    operands = [source.value, *list(unit.op.operands)[1:]]
    total = emitter.clone(unit.op, operands, emitter.i48 if wide else emitter.i32)
    stored = emitter.stored(params)
    if options.requantize == "float" and not wide:
        share = np.float32(1 / parts)
        return emitter.cast(multiply(emitter, emitter.cast(total, emitter.f32), np.asarray(share)), stored)
    excess = excess_bits(reach(params) * parts)
    if wide:
        total = narrow(emitter, total, excess)
    return rescale(emitter, total, 2.0**excess / parts, input_zp=0, output_zp=0, element=stored)
