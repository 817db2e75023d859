"""What the int8 form of a function must compute, in NumPy, from its fp32 ops and docs/definitions.md.

No integer MLIR op is consulted: a convolution is a sum of (q - z) * w over the fp32 op's windows, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2, prod

import numpy as np

from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.integer.dot import weights_of
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.tosa.evaluate import evaluate
from quantune_mlir.numerics.lookup_table import lookup_table
from quantune_mlir.numerics.parameters import (
    QuantParams,
    activation_params,
    dequantize,
    fit_scales_to_bias,
    quantize,
    quantize_bias,
    quantize_weights,
    weight_params,
)
from quantune_mlir.numerics.requantize import apply_scale_32, multipliers_and_shifts, requantize_float, rescale
from tests.unit.integer import windows
from tests.unit.integer.int8_epilogues import epilogues_of

Array = np.ndarray
I32 = np.iinfo(np.int32)


@dataclass(frozen=True)
class Int8:
    """An int8 tensor and what its integers mean."""

    values: Array
    params: QuantParams

    @property
    def centered(self) -> Array:
        return self.values.astype(np.int64) - self.params.zero_point

    @property
    def real(self) -> Array:
        return dequantize(self.values, self.params)


def evaluate_unit(unit: Unit, values: Mapping[ir.Value, Array]) -> Array:
    """The unit's output, in its own arithmetic, given its inputs."""
    known = dict(values)
    for op in unit.ops:
        operands = [known[v] if v in known else constant(v) for v in op.operands]
        known[op.results[0]] = evaluate_op(op, operands)
    return known[unit.output]


def evaluate_op(op: ir.Operation, operands: list[Array]) -> Array:
    """One fp32 op; window operators and movements also on integers."""

    def array(name: str) -> list[int]:
        return list(ir.DenseI64ArrayAttr(op.attributes[name]))

    x, *rest = operands
    match op.name:
        case "tosa.conv2d":
            return windows.conv2d(x, rest[0], array("pad"), array("stride"), array("dilation")) + rest[1]
        case "tosa.depthwise_conv2d":
            return windows.depthwise_conv2d(x, rest[0], array("pad"), array("stride"), array("dilation")) + rest[1]
        case "tosa.transpose_conv2d":
            return windows.transpose_conv2d(x, rest[0], array("out_pad"), array("stride")) + rest[1]
        case "tosa.matmul":
            return x @ rest[0]
        case "tosa.max_pool2d":
            return windows.max_pool2d(x, array("kernel"), array("pad"), array("stride"))
        case "tosa.avg_pool2d":
            total, count = windows.sum_pool2d(x, array("kernel"), array("pad"), array("stride"))
            return total / count if x.dtype.kind == "f" else _divide(total, count)
        case "tosa.resize" if "BILINEAR" in str(op.attributes["mode"]):
            total, parts = windows.resize_bilinear(x, rest[0].tolist(), rest[1].tolist(), op.results[0].type.shape[1:3])
            return total / parts
        case "tosa.resize":
            return windows.resize_nearest(x, rest[0].tolist(), rest[1].tolist(), op.results[0].type.shape[1:3])
        case _:
            result = evaluate(op, operands)
            assert result is not None, op.name
            return result.astype(x.dtype) if x.dtype.kind == "i" else result


def _divide(total: Array, count: Array) -> Array:
    """TOSA's integer average: total / count by its reciprocal_scale and apply_scale_32."""
    places = np.ceil(np.log2(count)).astype(np.int64)
    multiplier = (((1 << 30) + 1) << places) // count
    return apply_scale_32(total, multiplier, 30 + places)


class Reference:
    """Runs the units in int8, those of `in_int8`, or fp32 on given inputs."""

    def __init__(
        self, units: list[Unit], in_int8: set[ir.Value], params: Mapping[ir.Value, QuantParams], options: IntegerOptions
    ) -> None:
        self._units = units
        self._in_int8 = in_int8
        self._params = params
        self._options = options
        self.epilogues = epilogues_of(units, in_int8, float_epilogues=options.requantize == "float")
        self.int8: dict[ir.Value, Int8] = {}
        self.fp32: dict[ir.Value, Array] = {}

    def run(self, inputs: Mapping[ir.Value, Array]) -> None:
        """All units, each in its precision."""
        self.int8, self.fp32 = {}, dict(inputs)
        folded = {clamp.output for clamp in self.epilogues.clamps.values()}
        for unit in self._units:
            if unit.output in folded:
                continue
            if unit.output in self._in_int8:
                clamp = self.epilogues.clamps.get(unit.output)
                self.compute(unit, clamp, in_float=(clamp or unit).output in self.epilogues.in_float)
            else:
                self.fp32[unit.output] = evaluate_unit(unit, {v: self.as_fp32(v) for v in unit.inputs})

    def compute(self, unit: Unit, clamp: Unit | None, *, in_float: bool) -> None:
        """One unit in int8, with a clamp folded into it or none; it may end in fp32."""
        output = (clamp or unit).output
        bounds = clamp_of(clamp or unit)
        if in_float:
            accumulator, scale = self._accumulator(unit)
            real = accumulator.astype(np.float32) * np.asarray(scale, np.float32)
            self.fp32[output] = real if bounds is None else np.clip(real, np.float32(bounds[0]), np.float32(bounds[1]))
        elif output in self.epilogues.functions:
            result = evaluate_unit(unit, {v: self.as_fp32(v) for v in unit.inputs})
            self.fp32.pop(output, None)
            self.int8[output] = Int8(quantize(result, self._params[output]), self._params[output])
        else:
            params = self._params[output]
            self.fp32.pop(output, None)
            self.int8[output] = Int8(self._int8_result(unit, params, bounds).astype(np.int8), params)

    def as_fp32(self, value: ir.Value) -> Array:
        return self.fp32[value] if value in self.fp32 else self.int8[value].real

    def as_int8(self, value: ir.Value) -> Int8:
        if is_constant(value):
            array = constant(value)
            params = activation_params(min(array.min(), 0.0), max(array.max(), 0.0), self._options.scheme)
            return Int8(quantize(array, params), params)
        if value not in self.int8:
            self.int8[value] = Int8(quantize(self.fp32[value], self._params[value]), self._params[value])
        return self.int8[value]

    def real_result(self, unit: Unit) -> Array:
        """What the unit makes of its quantized inputs, weights and constants in exact arithmetic, float64."""
        if unit.kind in (Kind.UNARY, Kind.SLOPES) or unit.kind in SHARING:
            in_fp32 = unit.output in self.epilogues.functions
            real = {v: self.as_fp32(v) if in_fp32 else self.as_int8(v).real for v in unit.inputs}
            return evaluate_unit(unit, real).astype(np.float64)
        accumulator, scale = self._accumulator(unit)
        last = self.epilogues.clamps.get(unit.output, unit)
        clamp = clamp_of(last) or clamp_of(unit) or (-np.inf, np.inf)
        return np.clip(accumulator * np.asarray(scale, np.float64), *clamp)

    def _int8_result(self, unit: Unit, params: QuantParams, clamp: tuple[float, float] | None) -> Array:
        if unit.kind in SHARING:
            return self._shared(unit, params)
        if unit.kind is Kind.UNARY:
            source = self.as_int8(unit.inputs[0])

            def function(x: Array) -> Array:
                return evaluate_unit(unit, {unit.inputs[0]: x.reshape((-1,) + (1,) * (source.values.ndim - 1))}).ravel()

            return lookup_table(lambda x: _nearest_number(function(x)), source.params, params)[
                source.values.astype(int) + 128
            ]
        low, high = (-128, 127) if clamp is None else (int(quantize(bound, params)) for bound in clamp)
        if self._options.requantize == "float" and unit.op.name in ("tosa.add", "tosa.sub"):
            left, right = (self.as_int8(v) for v in list(unit.op.operands)[:2])
            terms = [x.centered.astype(np.float32) * np.float32(x.params.scale / params.scale) for x in (left, right)]
            total = terms[0] + terms[1] if unit.op.name == "tosa.add" else terms[0] - terms[1]
            return np.clip(np.rint(total + np.float32(params.zero_point)), low, high)
        accumulator, scale = self._accumulator(unit)
        ratio = np.asarray(scale) / params.scale
        if self._options.requantize == "float":
            return requantize_float(accumulator, ratio, params.zero_point, lo=low, hi=high)
        multipliers, shifts = multipliers_and_shifts(ratio)
        return rescale(accumulator, multipliers, shifts, output_zp=params.zero_point, lo=low, hi=high)

    def _shared(self, unit: Unit, params: QuantParams) -> Array:
        """Averages are taken of centered values, which padding leaves at zero; the rest moves codes."""
        offset = params.zero_point if unit.kind is Kind.AVERAGE else 0
        operands: list[Array] = []
        for operand in unit.op.operands:
            array = constant_value(operand)
            if array is None:
                source = self.as_int8(operand)
                assert source.params == params
                array = source.values.astype(np.int64) - offset
            elif array.dtype == np.float32:
                array = quantize(array, params).astype(np.int64)
            operands.append(array)
        if unit.kind is Kind.AVERAGE and unit.op.name == "tosa.resize":
            return self._interpolated(unit, operands, params)
        return np.clip(evaluate_op(unit.op, operands) + offset, -128, 127)

    def _interpolated(self, unit: Unit, operands: list[Array], params: QuantParams) -> Array:
        x, scale, offset, _ = operands
        total, parts = windows.resize_bilinear(
            x + params.zero_point, scale.tolist(), offset.tolist(), unit.output.type.shape[1:3]
        )
        if self._options.requantize == "float":
            return requantize_float(total, 1 / parts, 0)
        return rescale(total, *multipliers_and_shifts(1 / parts))

    def _accumulator(self, unit: Unit) -> tuple[Array, float | Array]:
        """An exact integer, and what one of it stands for."""
        match unit.kind, unit.op.name:
            case Kind.DOT, "tosa.matmul" if is_constant(unit.op.operands[1]):
                left, (weights, scales, _) = self.as_int8(unit.op.operands[0]), self._weights(unit)
                return left.centered @ weights, left.params.scale * scales
            case Kind.DOT, "tosa.matmul":
                left, right = (self.as_int8(v) for v in list(unit.op.operands)[:2])
                return left.centered @ right.centered, left.params.scale * right.params.scale
            case Kind.DOT, _:
                source, (weights, scales, bias) = self.as_int8(unit.inputs[0]), self._weights(unit)
                return evaluate_op(unit.op, [source.centered, weights, bias]), source.params.scale * scales
            case Kind.SLOPES, _:
                source = self.as_int8(unit.inputs[0])
                slopes = prod(constant(op.operands[1]) for op in unit.ops if op.name == "tosa.mul")
                largest = max(127 - source.params.zero_point, source.params.zero_point + 128)
                bits = 30 - ceil(log2(largest * max(1.0, np.abs(slopes).max())))
                factors = np.where(source.centered < 0, np.rint(slopes * 2.0**bits), 2.0**bits)
                return source.centered * factors.astype(np.int64), source.params.scale * 2.0**-bits
            case Kind.BINARY, "tosa.mul":
                left, right = (self.as_int8(v) for v in list(unit.op.operands)[:2])
                return left.centered * right.centered, left.params.scale * right.params.scale
            case Kind.BINARY, name:
                left, right = (self.as_int8(v) for v in list(unit.op.operands)[:2])
                unit_scale = max(left.params.scale, right.params.scale) * 2.0**-19
                a, b = (_rescaled(x, x.params.scale / unit_scale) for x in (left, right))
                return (a + b if name == "tosa.add" else a - b), unit_scale
            case Kind.MEAN, name:
                source = self.as_int8(unit.inputs[0])
                sizes = zip(source.values.shape, _shape(unit.output), strict=True)
                axes = tuple(axis for axis, (before, after) in enumerate(sizes) if before != after)
                factor = (
                    1 / prod(source.values.shape[a] for a in axes)
                    if unit.op_type not in ("ReduceSum", "ReduceL2")
                    else 1.0
                )
                if name != "tosa.avg_pool2d":
                    factor = float(np.float32(factor))  # the op holds it as an fp32 constant
                return source.centered.sum(axis=axes, keepdims=True), source.params.scale * factor
            case Kind.CLAMP, _:
                source = self.as_int8(unit.inputs[0])
                return source.centered, source.params.scale
            case _:
                raise AssertionError(unit.kind)

    def _weights(self, unit: Unit) -> tuple[Array, Array, Array]:
        """int64 weights in the op's own shape, float64 scales, int64 bias."""
        found = weights_of(unit)
        assert found is not None
        weights, axis = found
        channel_axis = axis if self._options.weights == "per-channel" else None
        scales = weight_params(weights, channel_axis, self._options.scheme)
        bias = np.zeros(1, np.int32)
        if unit.op.name != "tosa.matmul":
            input_scale = self.as_int8(unit.inputs[0]).params.scale
            real = np.broadcast_to(constant(unit.op.operands[2]), (weights.shape[axis],))
            scales = fit_scales_to_bias(scales, real, input_scale, self._options.scheme)
            bias = quantize_bias(real, input_scale, scales)
        integers = quantize_weights(weights, scales, channel_axis).reshape(_shape(unit.op.operands[1]))
        return integers.astype(np.int64), scales.astype(np.float64), bias.astype(np.int64)


def _nearest_number(values: Array) -> Array:
    """NaN at either end of a row becomes the first or last number."""
    known = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(values.size), known, values[known]) if known.size < values.size else values


def constant(value: ir.Value) -> Array:
    """The array of a value that must be constant."""
    array = constant_value(value)
    assert array is not None
    return array


def clamp_of(unit: Unit) -> tuple[float, float] | None:
    """The real bounds of a clamp unit."""
    if unit.kind is not Kind.CLAMP:
        return None
    low, high = (ir.FloatAttr(unit.op.attributes[name]).value for name in ("min_val", "max_val"))
    return low, high


def _rescaled(x: Int8, ratio: float) -> Array:
    multipliers, shifts = multipliers_and_shifts(ratio)
    values = rescale(x.values, multipliers, shifts, input_zp=x.params.zero_point, lo=I32.min, hi=I32.max)
    return values.astype(np.int64)


def _shape(value: ir.Value) -> tuple[int, ...]:
    return tuple(ir.RankedTensorType(value.type).shape)
