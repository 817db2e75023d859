"""Where precision changes: fp32 to integers and back.

quantize:    q = saturate(round_half_even(x * (1 / s) + z))
dequantize:  x = (q - z) * s
"""

from __future__ import annotations

import numpy as np

from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.numerics.parameters import QuantParams


def quantize(emitter: UnitEmitter, value: ir.Value, params: QuantParams) -> Quantized:
    """The integer form of an fp32 tensor."""
    shape = shape_of(value)
    scaled = multiply(emitter, value, np.float32(params.inverse_scale))
    if params.zero_point:
        zero_point = emitter.scalar(params.zero_point, np.float32, len(shape))
        scaled = emitter.emit(build.elementwise, "add", scaled, zero_point)
    return Quantized(emitter.cast(scaled, emitter.stored(params)), params)


def quantize_before_shifting(emitter: UnitEmitter, value: ir.Value, params: QuantParams) -> Quantized:
    """The i8 form of an fp32 tensor as ONNX defines it: saturate(round_half_even(x * (1 / s)) + z).

    It differs where z is odd and x lies between two integers, as means of few of them often do.
    """
    if params.zero_point % 2 == 0:
        return quantize(emitter, value, params)
    shape = shape_of(value)
    rounded = emitter.cast(multiply(emitter, value, np.float32(params.inverse_scale)), emitter.i32)
    for op, number in (("add", params.zero_point), ("maximum", params.qmin), ("minimum", params.qmax)):
        rounded = emitter.emit(build.elementwise, op, rounded, emitter.scalar(number, np.int32, len(shape)))
    return Quantized(emitter.cast(rounded, emitter.i8), params)


def dequantize(emitter: UnitEmitter, tensor: Quantized) -> ir.Value:
    """The fp32 form of a tensor of integers."""
    shape = shape_of(tensor.value)
    value = emitter.cast(tensor.value, emitter.f32)
    if tensor.params.zero_point:
        zero_point = emitter.scalar(tensor.params.zero_point, np.float32, len(shape))
        value = emitter.emit(build.elementwise, "sub", value, zero_point)
    return multiply(emitter, value, np.float32(tensor.params.scale))


def multiply(emitter: UnitEmitter, value: ir.Value, factor: np.float32 | np.ndarray) -> ir.Value:
    """An fp32 tensor times one factor, or one for each channel of the last axis."""
    shape = shape_of(value)
    factors = np.asarray(factor, np.float32)
    factors = factors.reshape((*(1,) * (len(shape) - 1), factors.size) if shape else ())
    shift = emitter.scalar(0, np.int8)
    return emitter.emit(build.mul, value, emitter.constant(factors), shift)
