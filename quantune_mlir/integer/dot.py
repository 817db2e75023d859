"""Convolutions and matmuls in integers.

    acc[k] = bias[k] + sum_c (x[c] - z_x) * w[c, k]          standing for acc * s_x * s_w[k]

Accumulators of int8 are i32, those of int16 i48. TOSA has convolutions of i16 by i8, but matmuls of i16 by i16 only: a
matrix times constant weights is a convolution of 1 x 1. What no input brings beyond i32 becomes i32 as it is, other
accumulators are shifted by as many bits as they may have more. Weights of 16 bits are two convolutions, whose sums are
added.

Weights are symmetric: their zero point is 0. Where the mean of each input channel is known (`quantune.input_means`),
the bias makes up for what the weights' rounding adds to the output on average (Nagel et al., arXiv 1906.04721, 4.2):

    bias[k] - sum_c E[x[c]] * (s_w[k] * w_q[c, k] - w[c, k])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import QuantuneError
from quantune_mlir.graph.linear_ops import response
from quantune_mlir.graph.units import Unit
from quantune_mlir.integer.bounds import bound_of_sums, require_no_overflow
from quantune_mlir.integer.epilogue import End, finish, narrow
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.attributes import INPUT_MEANS, WEIGHT_SCALES
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.numerics.accumulators import dot_scale, excess_bits, largest_sum, reach
from quantune_mlir.numerics.formats import NumberFormat
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.quantized_weights import Blocks, QuantizedWeights, halves, quantize_product
from quantune_mlir.numerics.stored_weights import stored_dot_scale, stored_integers, stored_product

_SPATIAL_ATTRIBUTES: Final = ("pad", "stride", "dilation", "out_pad")
_HALF: Final = 256
"""What the upper half of a weight of 16 bits is worth in lower ones."""


def weights_of(unit: Unit) -> tuple[NDArray[np.float32], int] | None:
    """The fp32 weights of a dot unit and their output-channel axis; None for a matmul of two activations.

    Depthwise weights [KH, KW, C, M] are given as [KH, KW, C * M], so that output channels are one axis.
    """
    if not is_constant(unit.op.operands[1]):
        return None
    weights, kind, axis = _constant(unit.op.operands[1]), traits_of(unit.op).weights, _channel_axis(unit.op)
    return (weights.reshape(*weights.shape[:2], -1) if kind is not None and kind.depthwise else weights), axis


def quantized_weights(
    unit: Unit, input_scale: float, options: IntegerOptions, format_: NumberFormat
) -> QuantizedWeights:
    """The integer form of the constant weights of a dot unit, in the shape that `weights_of` gives, and of its bias."""
    op, found = unit.op, weights_of(unit)
    assert found is not None and format_.weights is not None
    weights, axis = found
    channel_axis = axis if options.weights == "per-channel" else None
    kind = traits_of(op).weights
    has_bias = kind is not None and kind.bias
    bias = np.broadcast_to(_constant(op.operands[2]), (weights.shape[axis],)) if has_bias else None
    if WEIGHT_SCALES in op.attributes:
        return stored_product(weights, bias, input_scale, _stored_scales(op), axis)

    def mean_error(rounded: Blocks) -> NDArray[np.float64]:
        return _mean_error(op, weights, axis, rounded)

    correction = mean_error if INPUT_MEANS in op.attributes else None
    return quantize_product(
        weights, bias, input_scale, options.scheme, channel_axis, format_.weights, correction, format_.accumulator_bits
    )


def accumulator_bound(unit: Unit, params: Sequence[QuantParams], quantized: QuantizedWeights | None) -> int:
    """A bound of the accumulators of a dot unit with inputs of these parameters; None: its weights are an input."""
    if quantized is None:
        return bound_of_sums(unit, params)
    return largest_sum(quantized.integers, quantized.bias, _channel_axis(unit.op), reach(params[0]))


def has_stored_weights(unit: Unit) -> bool:
    """Whether the constant weights of a dot unit are int8 with the scales that `quantune.weight_scales` tells."""
    found = weights_of(unit)
    return (
        found is not None
        and WEIGHT_SCALES in unit.op.attributes
        and (stored_integers(found[0], _stored_scales(unit.op), found[1]) is not None)
    )


def _channel_axis(op: ir.Operation) -> int:
    """The axis of the output channels of what `weights_of` gives; of a matmul, the last."""
    kind = traits_of(op).weights
    return 2 if kind is None else kind.channel_axis


def _stored_scales(op: ir.Operation) -> NDArray[np.float32]:
    return np.array(list(ir.DenseF32ArrayAttr(op.attributes[WEIGHT_SCALES])), np.float32)


def _accumulator_scale(op: ir.Operation, input_scale: float, scales: NDArray[np.float32]) -> NDArray[np.float64]:
    return (stored_dot_scale if WEIGHT_SCALES in op.attributes else dot_scale)(input_scale, scales)


def emit_convolution(
    emitter: UnitEmitter,
    unit: Unit,
    inputs: Sequence[Quantized],
    end: End,
    options: IntegerOptions,
    format_: NumberFormat,
) -> ir.Value:
    """conv2d, depthwise_conv2d or transpose_conv2d with constant weights and bias."""
    (source,) = inputs
    op = unit.op
    if op.name == "tosa.transpose_conv2d" and _is_wide(source):
        raise QuantuneError(
            "a transposed convolution of int16 that is none of its phases has no form that compiles",
            where=unit.layer,
            remedy="plan the layer in int8 or fp32",
        )
    quantized = quantized_weights(unit, source.params.scale, options, format_)
    assert quantized.bias is not None
    if not _is_wide(source):
        require_no_overflow(unit, accumulator_bound(unit, [source.params], quantized))
    spatial = {name: op.attributes[name] for name in _SPATIAL_ATTRIBUTES if name in op.attributes}
    integers, weights = quantized.integers, shape_of(op.operands[1])
    if op.name == "tosa.depthwise_conv2d" and weights[0] == weights[1] == 1:
        integers, weights, spatial = _two_rows(integers, weights, spatial)
    convolution = _Convolution(op.name.removeprefix("tosa."), shape_of(op.results[0]), spatial, source)
    accumulator, unit_scale = convolution.emit(emitter, integers, weights, quantized.bias, _channel_axis(op))
    scale = _accumulator_scale(op, source.params.scale, quantized.scales) * unit_scale
    return finish(emitter, accumulator, scale, end, quantized.rest)


def _two_rows(
    integers: NDArray[np.int8 | np.int16], weights: Sequence[int], spatial: Mapping[str, ir.Attribute]
) -> tuple[NDArray[np.int8 | np.int16], Sequence[int], Mapping[str, ir.Attribute]]:
    """A padded depthwise convolution with a window of 1 x 1, as one with a second row of zeros.

    IREE makes a product of the former, and cannot pad integers on the way.
    """
    top, bottom, left, right = ir.DenseI64ArrayAttr(spatial["pad"])
    if not any((top, bottom, left, right)):
        return integers, weights, spatial
    wider = build.integers(pad=[top, bottom + 1, left, right], dilation=[1, 1])
    return np.concatenate([integers, np.zeros_like(integers)]), (2, *weights[1:]), {**spatial, **wider}


@dataclass(frozen=True)
class _Convolution:
    """tosa.`name` of a tensor, before weights and bias are known."""

    name: str
    shape: Sequence[int]
    attributes: Mapping[str, ir.Attribute]
    source: Quantized

    def emit(
        self,
        emitter: UnitEmitter,
        integers: NDArray[np.int8 | np.int16],
        weights: Sequence[int],
        bias: NDArray[np.int32 | np.int64],
        axis: int,
    ) -> tuple[ir.Value, float]:
        """The sums in i32, and what one of their units is worth in products.

        `axis` of `integers` counts output channels; in the op they have the shape `weights`.
        """
        if not _is_wide(self.source):
            return self._sums(emitter, integers.reshape(weights), bias), 1.0
        if integers.dtype == np.int8:
            excess = excess_bits(largest_sum(integers, bias, axis, reach(self.source.params)))
            return narrow(emitter, self._sums(emitter, integers.reshape(weights), bias), excess), 2.0**excess
        upper, lower = halves(integers.astype(np.int16))
        largest = largest_sum(upper, None, axis, reach(self.source.params))
        largest += largest_sum(lower, bias, axis, reach(self.source.params)) // _HALF + 1
        excess = excess_bits(largest)
        above = self._sums(emitter, upper.reshape(weights), np.zeros_like(bias))
        below = self._sums(emitter, lower.reshape(weights), bias)
        terms = narrow(emitter, above, excess), narrow(emitter, below, excess + _HALF.bit_length() - 1)
        return emitter.emit(build.elementwise, "add", *terms), _HALF * 2.0**excess

    def _sums(
        self, emitter: UnitEmitter, weights: NDArray[np.int8 | np.int16], bias: NDArray[np.int32 | np.int64]
    ) -> ir.Value:
        if _is_wide(self.source):
            element, addend = emitter.i48, emitter.int48_constant(bias.astype(np.int64))
        else:
            element, addend = emitter.i32, emitter.constant(bias)
        params = self.source.params
        zero_points = emitter.scalar(params.zero_point, params.dtype), emitter.scalar(0, np.int8)
        operands = [self.source.value, emitter.constant(weights), addend]
        return emitter.emit(
            build.convolution, self.name, operands, zero_points, self.shape, element, element, self.attributes
        )


def _is_wide(tensor: Quantized) -> bool:
    return tensor.params.dtype is np.int16


def _mean_error(op: ir.Operation, weights: NDArray[np.float32], axis: int, rounded: Blocks) -> NDArray[np.float64]:
    """What the rounding of weights, given by blocks, adds to each output channel on average, borders apart."""
    means = np.array(list(ir.DenseF64ArrayAttr(op.attributes[INPUT_MEANS])))
    kernel = shape_of(op.operands[1])[1:]
    found = [
        response(op, np.subtract(block, weights[part], dtype=np.float64).reshape(-1, *kernel), means)
        for part, block in rounded
    ]
    return np.concatenate(found) if axis == 0 else np.sum(found, axis=0)


def emit_matmul(
    emitter: UnitEmitter,
    unit: Unit,
    inputs: Sequence[Quantized],
    end: End,
    options: IntegerOptions,
    format_: NumberFormat,
) -> ir.Value:
    """matmul of two activations, or of one (`inputs` has no second) with constant weights on the right."""
    left, op = inputs[0], unit.op
    batch, _, depth = shape_of(op.operands[0])
    if is_constant(op.operands[1]):
        quantized = quantized_weights(unit, left.params.scale, options, format_)
        integers, scale = quantized.integers, _accumulator_scale(op, left.params.scale, quantized.scales)
        if _is_wide(left) and batch == 1:
            return _multiply_by_convolution(emitter, left, integers, scale, end)
        largest = largest_sum(integers, None, 2, reach(left.params))
        right, right_zero_point = emitter.constant(integers.astype(left.params.dtype)), 0
    else:
        other = inputs[1]
        right, right_zero_point = other.value, other.params.zero_point
        scale = _accumulator_scale(op, left.params.scale, np.array([other.params.scale], np.float32))
        largest = depth * reach(left.params) * reach(other.params)
    if not _is_wide(left):
        require_no_overflow(unit, largest)
    dtype, element = left.params.dtype, emitter.i48 if _is_wide(left) else emitter.i32
    zero_points = emitter.scalar(left.params.zero_point, dtype), emitter.scalar(right_zero_point, dtype)
    accumulator = emitter.emit(build.matmul, left.value, right, zero_points, element)
    if _is_wide(left):
        excess = excess_bits(largest)
        accumulator, scale = narrow(emitter, accumulator, excess), scale * 2.0**excess
    return finish(emitter, accumulator, scale, end)


def _multiply_by_convolution(
    emitter: UnitEmitter,
    left: Quantized,
    integers: NDArray[np.int8 | np.int16],
    scale: NDArray[np.float64],
    end: End,
) -> ir.Value:
    """One matrix of int16 times constant weights."""
    _, rows, depth = shape_of(left.value)
    columns = integers.shape[2]
    pixels = Quantized(emitter.emit(build.reshape, left.value, (1, rows, 1, depth)), left.params)
    attributes = build.integers(pad=[0, 0, 0, 0], stride=[1, 1], dilation=[1, 1])
    convolution = _Convolution("conv2d", (1, rows, 1, columns), attributes, pixels)
    weights = np.ascontiguousarray(integers[0].T)
    accumulator, unit_scale = convolution.emit(emitter, weights, (columns, 1, 1, depth), np.zeros(columns, np.int64), 0)
    made = finish(emitter, accumulator, scale * unit_scale, end)
    return emitter.emit(build.reshape, made, (1, rows, columns))


def _constant(value: ir.Value) -> NDArray[np.float32]:
    array = constant_value(value)
    assert array is not None
    return array
