"""Softmax in integers: exp by a table, sums in i32, a division.

d = q - max q                    i32
t = d * s / (R / 65535) + 32767  saturated to i16: [-R, 0] over all its codes; below -R exp is less than 2^-16
e = table(t) / 128               exp(d * s) in units of 1 / 32767
y = (e * 2^b + sum / 2) / sum    the share in units of 2^-b: b = 8 for int8, 15 for int16
"""

from __future__ import annotations

from math import log
from typing import Final

import numpy as np

from quantune_mlir.errors import QuantuneError
from quantune_mlir.graph.softmax import Softmax
from quantune_mlir.integer.epilogue import rescale
from quantune_mlir.integer.movement import emit_movement
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.numerics.formats import INT8_ACTIVATIONS, INT16_ACTIVATIONS, IntegerRange
from quantune_mlir.numerics.lookup_table import STEPS_BETWEEN, interpolated_table
from quantune_mlir.numerics.parameters import QuantParams

SHARES: Final = (0.0, 32767 / 32768)
"""The range of a softmax's result, as int16 has it."""
_DEEPEST: Final = 16 * log(2)
_MOST: Final = 2**15
"""Numbers along the axis: their sum, and a share of it times 2^15, have 31 bits."""


def share_params(codes: IntegerRange = INT8_ACTIVATIONS) -> QuantParams:
    """What the codes of a softmax's result stand for."""
    if codes == INT8_ACTIVATIONS:
        return QuantParams(2.0**-8, INT8_ACTIVATIONS.minimum)
    return QuantParams(2.0**-15, 0, codes)


def emit_softmax(emitter: UnitEmitter, softmax: Softmax, source: Quantized) -> Quantized:
    """The integer form of a softmax, in codes as wide as those of what it reads.

    Raises:
        QuantuneError: its axis is too long.
    """
    axis, shape = softmax.axis, shape_of(source.value)
    if shape[axis] > _MOST:
        raise QuantuneError(
            f"a softmax of {shape[axis]} numbers has no integer form",
            where=softmax.units[-1].layer,
            remedy=f"at most {_MOST} have",
        )
    params, i32 = source.params, emitter.i32

    def number(value: int) -> ir.Value:
        return emitter.scalar(value, np.int32, len(shape))

    centred = rescale(emitter, source.value, 1.0, input_zp=params.zero_point, output_zp=0, element=i32)
    below = emitter.emit(build.elementwise, "sub", centred, emitter.emit(build.reduce, "max", centred, axis))
    depth = min(params.scale * (params.qmax - params.qmin), _DEEPEST)
    step = float(np.float32(depth / (2**16 - 1)))
    scaled = rescale(emitter, below, params.scale / step, input_zp=0, output_zp=0, element=i32)
    top = INT16_ACTIVATIONS.maximum
    shifted = emitter.emit(build.elementwise, "add", scaled, number(top))
    places = rescale(emitter, shifted, 1.0, input_zp=0, output_zp=0, element=emitter.i16)
    table = interpolated_table(
        lambda x: np.exp(x - top * step),
        QuantParams(step, 0, INT16_ACTIVATIONS),
        QuantParams(float(np.float32(1 / top)), 0, INT16_ACTIVATIONS),
    )
    powers = emitter.emit(build.table, places, emitter.constant(table))
    powers = rescale(emitter, powers, 1 / STEPS_BETWEEN, input_zp=0, output_zp=0, element=i32)
    total = emitter.emit(build.reduce, "sum", powers, axis)
    made = share_params(params.codes)
    units = emitter.emit(build.mul, powers, number(round(1 / made.scale)))
    half = emitter.emit(build.shift_right, total, number(1))
    shares = emitter.emit(build.elementwise, "intdiv", emitter.emit(build.elementwise, "add", units, half), total)
    stored = emitter.stored(made)
    codes = rescale(emitter, shares, 1.0, input_zp=0, output_zp=made.zero_point, element=stored)
    for move in softmax.moves:
        codes = emit_movement(emitter, move, [Quantized(codes, made)])
    return Quantized(codes, made)
