"""Add, sub, mul, clamp, slopes and means in integers.

Sums bring both operands to one scale first. Integer mode: each to i32 in units so small that their rounding is far
below that of the result (numerics/accumulators.py). Float mode: each multiplied by its scale over the output's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import ceil, log2, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.graph.units import Unit
from quantune_mlir.integer.boundary import multiply
from quantune_mlir.integer.epilogue import End, finish, rescale, round_to_codes
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.traits import axis_of
from quantune_mlir.numerics import requantize
from quantune_mlir.numerics.accumulators import common_scale, excess_bits, product_scale, ratio, reach
from quantune_mlir.numerics.parameters import QuantParams, quantize
from quantune_mlir.numerics.requantize import multipliers_and_shifts

_ACCUMULATOR_BITS: Final = 30


def emit_sum(
    emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized], end: End, options: IntegerOptions
) -> ir.Value:
    """tosa.add or tosa.sub."""
    left, right = inputs
    name = unit.op.name.removeprefix("tosa.")
    if options.requantize == "integer" or end.params is None:
        common = common_scale(left.params, right.params)
        terms = [_to_i32(emitter, x, ratio(x.params.scale, common)) for x in (left, right)]
        return finish(emitter, emitter.emit(build.elementwise, name, *terms), common, end)
    terms = [_scaled(emitter, x, ratio(x.params.scale, end.params.scale)) for x in (left, right)]
    return round_to_codes(emitter, emitter.emit(build.elementwise, name, *terms), end)


def emit_product(
    emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized], end: End, options: IntegerOptions
) -> ir.Value:
    """tosa.mul of two tensors: (a - z_a) * (b - z_b) is exact in i32."""
    left, right = inputs
    a, b = (_to_i32(emitter, x) for x in (left, right))
    product = emitter.emit(build.mul, a, b, emitter.scalar(0, np.int8))
    return finish(emitter, product, product_scale(left.params, right.params), end)


def emit_clamp(
    emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized], end: End, options: IntegerOptions
) -> ir.Value:
    """A clamp on its own: its input brought to the output's parameters, where the clamp is saturation."""
    (source,) = inputs
    return emit_requantized(emitter, source, end)


def emit_slopes(emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized], end: End) -> ir.Value:
    """max(x, 0) + slope min(x, 0), in units so small that slopes are integers."""
    (source,) = inputs
    slopes = slopes_of(unit)
    bits = _ACCUMULATOR_BITS - ceil(log2(reach(source.params) * max(1.0, float(np.abs(slopes).max()))))
    x, zero = _to_i32(emitter, source), emitter.scalar(0, np.int32, slopes.ndim)

    def part(name: str, factors: NDArray[np.float64]) -> ir.Value:
        whole = emitter.constant(np.rint(np.ldexp(factors, bits)).astype(np.int32))
        return emitter.emit(
            build.mul, emitter.emit(build.elementwise, name, x, zero), whole, emitter.scalar(0, np.int8)
        )

    total = emitter.emit(
        build.elementwise, "add", part("maximum", np.ones((1,) * slopes.ndim)), part("minimum", slopes)
    )
    return finish(emitter, total, source.params.scale * 2.0**-bits, end)


def slopes_of(unit: Unit) -> NDArray[np.float64]:
    """By what a leaky relu multiplies negative numbers."""
    factors = [constant_value(op.operands[1]) for op in unit.ops if op.name == "tosa.mul"]
    return reduce(np.multiply, (factor.astype(np.float64) for factor in factors if factor is not None))


def emit_requantized(emitter: UnitEmitter, source: Quantized, end: End) -> ir.Value:
    """Integers with other parameters, perhaps of another width."""
    assert end.params is not None
    if end.mode == "float":
        return round_to_codes(emitter, _scaled(emitter, source, ratio(source.params.scale, end.params.scale)), end)
    return finish(emitter, _to_i32(emitter, source), source.params.scale, end)


def emit_mean(
    emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized], end: End, options: IntegerOptions
) -> ir.Value:
    """Global average pooling, or reduce_sum ops with a factor: one i32 sum, requantized once."""
    (source,) = inputs
    excess = excess_bits(reach(source.params) * (prod(shape_of(source.value)) // prod(shape_of(unit.output))))
    value = _to_i32(emitter, source, 2.0**-excess)
    axes = (
        (1, 2)
        if unit.op.name == "tosa.avg_pool2d"
        else [axis_of(op) for op in unit.ops if op.name == "tosa.reduce_sum"]
    )
    for axis in axes:
        value = emitter.emit(build.reduce, "sum", value, axis)
    return finish(emitter, value, source.params.scale * 2.0**excess * mean_factor(unit), end)


def mean_factor(unit: Unit) -> float:
    """What a mean unit multiplies its sum by."""
    if unit.op.name == "tosa.avg_pool2d":
        return 1.0 / prod(shape_of(unit.inputs[0])[1:3])
    constants = (
        constant_value(v) for op in unit.ops if op.name == "tosa.mul" for v in list(op.operands)[:2] if is_constant(v)
    )
    return prod(float(c.flat[0]) for c in constants if c is not None)


def quantize_constant(emitter: UnitEmitter, value: ir.Value, params: QuantParams) -> Quantized:
    """A constant operand of a binary op as integers."""
    array = constant_value(value)
    assert array is not None
    return Quantized(emitter.constant(quantize(array, params)), params)


def _to_i32(emitter: UnitEmitter, tensor: Quantized, factor: float | NDArray[np.float64] = 1.0) -> ir.Value:
    """(q - z) * factor as i32; exact for 1."""
    array = constant_value(tensor.value)
    if array is not None:
        multipliers, shifts = multipliers_and_shifts(factor)
        limits = np.iinfo(np.int32)
        numbers = requantize.rescale(
            array, multipliers, shifts, input_zp=tensor.params.zero_point, lo=limits.min, hi=limits.max
        )
        return emitter.constant(numbers)
    return rescale(emitter, tensor.value, factor, input_zp=tensor.params.zero_point, output_zp=0, element=emitter.i32)


def _scaled(emitter: UnitEmitter, tensor: Quantized, factor: NDArray[np.float64]) -> ir.Value:
    """(q - z) * factor as fp32."""
    array = constant_value(tensor.value)
    if array is not None:
        numbers = array.astype(np.float32) - np.float32(tensor.params.zero_point)
        return emitter.constant(numbers * np.float32(factor))
    value, shape = emitter.cast(tensor.value, emitter.f32), shape_of(tensor.value)
    if tensor.params.zero_point:
        zero_point = emitter.scalar(tensor.params.zero_point, np.float32, len(shape))
        value = emitter.emit(build.elementwise, "sub", value, zero_point)
    return multiply(emitter, value, np.float32(factor))
