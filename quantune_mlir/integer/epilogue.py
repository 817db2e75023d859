"""What follows an i32 accumulator: requantize, clamp, or straight to fp32.

The accumulator stands for acc * scale (one scale, or one for each channel of the last axis). Three ends:

integer:  tosa.rescale with 32-bit multipliers and a single rounding, then the clamp if saturation is not enough
float:    q = saturate(round_half_even(f32(acc) * (scale / s_out) + z_out)), clamped before rounding if need be
none:     f32(acc) * scale, for a result that only fp32 ops read: no int8 rounding at all
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.integer.boundary import multiply
from quantune_mlir.integer.emitter import Emitter, shape_of
from quantune_mlir.integer.options import RequantizeMode
from quantune_mlir.ir.mlir import ir, tosa
from quantune_mlir.numerics.parameters import QMAX, QMIN, QuantParams
from quantune_mlir.numerics.requantize import multipliers_and_shifts


@dataclass(frozen=True)
class End:
    """How a unit's result leaves it: int8 with `params`, or fp32 where `params` is None; `clamp` in real numbers."""

    params: QuantParams | None
    clamp: tuple[float, float] | None
    mode: RequantizeMode

    def integer_clamp(self) -> tuple[int, int]:
        """The clamp's bounds as int8."""
        assert self.params is not None
        if self.clamp is None:
            return QMIN, QMAX
        low, high = (np.clip(x / self.params.scale + self.params.zero_point, QMIN, QMAX) for x in self.clamp)
        return int(np.rint(low)), int(np.rint(high))


def finish(emitter: Emitter, accumulator: ir.Value, scale: float | NDArray[np.float64], end: End) -> ir.Value:
    """The i8 (or, without output parameters, fp32) result of an accumulator: i32, or integers held in fp32."""
    if end.params is None:
        value = multiply(emitter, emitter.cast(accumulator, emitter.f32), np.asarray(scale, np.float32))
        return value if end.clamp is None else _clamp(emitter, value, *end.clamp)
    ratio = np.asarray(scale, np.float64) / end.params.scale
    low, high = end.integer_clamp()
    if end.mode == "integer":
        value = rescale(
            emitter,
            emitter.cast(accumulator, emitter.i32),
            ratio,
            input_zp=0,
            output_zp=end.params.zero_point,
            element=emitter.i8,
        )
        return value if (low, high) == (QMIN, QMAX) else _clamp(emitter, value, low, high)
    value = multiply(emitter, emitter.cast(accumulator, emitter.f32), ratio.astype(np.float32))
    return round_to_int8(emitter, value, end)


def round_to_int8(emitter: Emitter, value: ir.Value, end: End) -> ir.Value:
    """Adds the zero point to an fp32 tensor in units of the output scale, clamps, rounds half to even, saturates."""
    assert end.params is not None
    shape = shape_of(value)
    if end.params.zero_point:
        zero_point = emitter.scalar(end.params.zero_point, np.float32, len(shape))
        value = emitter.build(tosa.AddOp, emitter.f32, shape, value, zero_point)
    low, high = end.integer_clamp()
    if (low, high) != (QMIN, QMAX):
        value = _clamp(emitter, value, low, high)
    return emitter.cast(value, emitter.i8)


def rescale(
    emitter: Emitter,
    value: ir.Value,
    ratio: float | NDArray[np.float64],
    *,
    input_zp: int,
    output_zp: int,
    element: ir.Type,
) -> ir.Value:
    """tosa.rescale: (value - input_zp) * ratio + output_zp, rounded once, saturated to `element` (i8 or i32)."""
    ratios = np.atleast_1d(np.asarray(ratio, np.float64))
    multipliers, shifts = multipliers_and_shifts(ratios)
    of_input = np.int8 if ir.RankedTensorType(value.type).element_type == emitter.i8 else np.int32
    return emitter.build(
        tosa.RescaleOp,
        element,
        shape_of(value),
        value,
        emitter.constant(multipliers),
        emitter.constant(shifts),
        emitter.scalar(input_zp, of_input),
        emitter.scalar(output_zp, np.int8 if element == emitter.i8 else np.int32),
        scale32=True,
        rounding_mode=ir.Attribute.parse("#tosa.rounding_mode<SINGLE_ROUND>", value.context),
        per_channel=ratios.size > 1,
        input_unsigned=False,
        output_unsigned=False,
    )


def _clamp(emitter: Emitter, value: ir.Value, low: float, high: float) -> ir.Value:
    element = ir.RankedTensorType(value.type).element_type
    bounds = (
        ir.FloatAttr.get(element, x) if element == emitter.f32 else ir.IntegerAttr.get(element, int(x))
        for x in (low, high)
    )
    return emitter.build(tosa.ClampOp, element, shape_of(value), value, *bounds)
