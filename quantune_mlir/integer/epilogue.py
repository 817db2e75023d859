"""What follows an accumulator: requantize, clamp, or straight to fp32.

The accumulator stands for acc * scale (one scale, or one for each channel of the last axis). Three ends:

integer:  tosa.rescale with 32-bit multipliers and a single rounding, then the clamp if saturation is not enough
float:    q = saturate(round_half_even(f32(acc) * (scale / s_out) + z_out)), clamped before rounding if need be; of a
          model that was quantized by others, saturate(round_half_even(f32(acc) * (scale / s_out)) + z_out)
none:     f32(acc) * scale, for a result that only fp32 ops read: no int8 rounding at all

An upper bound that differs between channels is a tosa.minimum: of the accumulator in integer mode, elsewhere of the
fp32 value. Where saturation does the same for every channel, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.integer.boundary import multiply
from quantune_mlir.integer.integer_options import RequantizeMode
from quantune_mlir.integer.unit_emitter import UnitEmitter
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import element_of, shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.numerics.accumulators import codes_of_bounds, largest_accumulators, ratio
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.requantize import multipliers_and_shifts

Bounds = tuple[float, float | NDArray[np.float32]]
"""A clamp's bounds in real numbers; the upper one may differ between channels."""
_UNIT_BITS: Final = 14
_ZERO_POINTS: Final = {"i8": np.int8, "i16": np.int16, "i32": np.int32}


@dataclass(frozen=True)
class End:
    """How a unit's result leaves it: integers with `params`, or fp32 if that is None; `clamp` in real numbers."""

    params: QuantParams | None
    clamp: Bounds | None
    mode: RequantizeMode
    shift_after_rounding: bool = False
    """In float mode, add the zero point to the integer, as ONNX defines it: to the number, it takes bits from that."""

    def integer_clamp(self) -> tuple[int, int]:
        """The clamp's bounds as codes; of an upper bound that differs between channels, the highest."""
        assert self.params is not None
        if self.clamp is None:
            return self.params.qmin, self.params.qmax
        low, high = (codes_of_bounds(bound, self.params) for bound in self.clamp)
        return int(low.max()), int(high.max())

    def channel_bounds(self) -> NDArray[np.int64] | None:
        """The upper bound of each channel as a code, if they differ."""
        assert self.params is not None
        if self.clamp is None:
            return None
        bounds = codes_of_bounds(self.clamp[1], self.params)
        return bounds if (bounds != bounds.flat[0]).any() else None


def finish(
    emitter: UnitEmitter,
    accumulator: ir.Value,
    scale: float | NDArray[np.float64],
    end: End,
    rest: NDArray[np.float64] | None = None,
) -> ir.Value:
    """The integers (or, without output parameters, the fp32 result) that become of an i32 accumulator.

    `rest` is what each channel's bias is more than the accumulator has of it; integer mode does without.
    """
    if end.params is None:
        value = multiply(emitter, emitter.cast(accumulator, emitter.f32), np.asarray(scale, np.float32))
        if rest is not None:
            value = _add_to_channels(emitter, value, rest)
        return value if end.clamp is None else _clamp_fp32(emitter, value, *end.clamp)
    factors = ratio(scale, end.params.scale)
    if end.mode == "integer":
        low, high = end.integer_clamp()
        accumulator = emitter.cast(accumulator, emitter.i32)
        bounds = end.channel_bounds()
        if bounds is not None:
            accumulator = _minimum(emitter, accumulator, largest_accumulators(bounds, factors, end.params))
        value = rescale(
            emitter,
            accumulator,
            factors,
            input_zp=0,
            output_zp=end.params.zero_point,
            element=emitter.stored(end.params),
        )
        return (
            value if (low, high) == (end.params.qmin, end.params.qmax) else emitter.emit(build.clamp, value, low, high)
        )
    value = multiply(emitter, emitter.cast(accumulator, emitter.f32), factors.astype(np.float32))
    return round_to_codes(emitter, value, end, None if rest is None else ratio(rest, end.params.scale))


def round_to_codes(
    emitter: UnitEmitter, value: ir.Value, end: End, rest: NDArray[np.float64] | None = None
) -> ir.Value:
    """Adds the zero point to an fp32 tensor in units of the output scale, clamps, rounds half to even, saturates.

    `rest`, in these units, is added with it, to each channel its own.
    """
    assert end.params is not None
    if end.shift_after_rounding and end.params.zero_point:
        return _round_before_shifting(emitter, value, end, rest)
    shape = shape_of(value)
    if rest is not None:
        value = _add_to_channels(emitter, value, rest + end.params.zero_point)
    elif end.params.zero_point:
        zero_point = emitter.scalar(end.params.zero_point, np.float32, len(shape))
        value = emitter.emit(build.elementwise, "add", value, zero_point)
    bounds = end.channel_bounds()
    if bounds is not None:
        value = _minimum(emitter, value, bounds.astype(np.float32))
    low, high = end.integer_clamp()
    if (low, high) != (end.params.qmin, end.params.qmax):
        value = emitter.emit(build.clamp, value, low, high)
    return emitter.cast(value, emitter.stored(end.params))


def narrow(emitter: UnitEmitter, accumulator: ir.Value, excess: int) -> ir.Value:
    """An i48 accumulator as i32, shifted to the right by `excess` bits, rounded: exact where it is 0.

    TOSA's multipliers of i48 have 16 bits; those that follow have 32.
    """
    numbers = emitter.scalar(1 << _UNIT_BITS, np.int16), emitter.scalar(_UNIT_BITS + excess, np.int8)
    zero_points = emitter.int48_constant(np.zeros(1, np.int64)), emitter.scalar(0, np.int32)
    return emitter.emit(build.rescale, accumulator, *numbers, zero_points, emitter.i32)


def _round_before_shifting(
    emitter: UnitEmitter, value: ir.Value, end: End, rest: NDArray[np.float64] | None
) -> ir.Value:
    """saturate(round_half_even(x) + z), clamped before rounding to what saturation leaves."""
    assert end.params is not None
    zero_point, bounds = end.params.zero_point, end.channel_bounds()
    if rest is not None:
        value = _add_to_channels(emitter, value, rest)
    if bounds is not None:
        value = _minimum(emitter, value, (bounds - zero_point).astype(np.float32))
    low, high = end.integer_clamp()
    value = emitter.emit(build.clamp, value, float(low - zero_point), float(high - zero_point))
    shift = emitter.scalar(zero_point, np.int32, len(shape_of(value)))
    shifted = emitter.emit(build.elementwise, "add", emitter.cast(value, emitter.i32), shift)
    return emitter.cast(shifted, emitter.i8)


def rescale(
    emitter: UnitEmitter,
    value: ir.Value,
    factor: float | NDArray[np.float64],
    *,
    input_zp: int,
    output_zp: int,
    element: ir.Type,
) -> ir.Value:
    """tosa.rescale: (value - input_zp) * factor + output_zp, rounded once, saturated to `element` (i8, i16 or i32)."""
    multipliers, shifts = multipliers_and_shifts(factor)
    of_input = _ZERO_POINTS[element_of(value)]
    numbers = emitter.constant(multipliers), emitter.constant(shifts)
    of_output = _ZERO_POINTS[str(element)]
    zero_points = emitter.scalar(input_zp, of_input), emitter.scalar(output_zp, of_output)
    return emitter.emit(build.rescale, value, *numbers, zero_points, element)


def _add_to_channels(emitter: UnitEmitter, value: ir.Value, terms: NDArray[np.float64]) -> ir.Value:
    shape = shape_of(value)
    along = terms.astype(np.float32).reshape((1,) * (len(shape) - 1) + (terms.size,))
    return emitter.emit(build.elementwise, "add", value, emitter.constant(along))


def _clamp_fp32(emitter: UnitEmitter, value: ir.Value, low: float, high: float | NDArray[np.float32]) -> ir.Value:
    if np.ndim(high):
        value = _minimum(emitter, value, np.asarray(high, np.float32))
    return emitter.emit(build.clamp, value, low, float(np.max(high)))


def _minimum(emitter: UnitEmitter, value: ir.Value, bounds: NDArray[np.float32] | NDArray[np.int32]) -> ir.Value:
    """tosa.minimum of a tensor and one bound for each channel of its last axis."""
    shape = shape_of(value)
    bounds = bounds.reshape((1,) * (len(shape) - 1) + (bounds.size,))
    return emitter.emit(build.elementwise, "minimum", value, emitter.constant(bounds))
