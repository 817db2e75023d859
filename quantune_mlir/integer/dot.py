"""Convolutions and matmuls in int8.

    acc[k] = bias[k] + sum_c (x[c] - z_x) * w[c, k]          i32, standing for acc * s_x * s_w[k]

Weights are symmetric: their zero point is 0. Where the mean of each input channel is known (`quantune.input_means`),
the bias makes up for what the weights' rounding adds to the output on average (Nagel et al., arXiv 1906.04721, 4.2):

    bias[k] - sum_c E[x[c]] * (s_w[k] * w_q[c, k] - w[c, k])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.graph.linear_ops import response
from quantune_mlir.graph.units import Unit
from quantune_mlir.integer.bounds import bound_of_sums, require_no_overflow
from quantune_mlir.integer.epilogue import End, finish
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.attributes import INPUT_MEANS, WEIGHT_SCALES
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.numerics.accumulators import dot_scale, largest_sum, reach
from quantune_mlir.numerics.formats import NumberFormat
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.quantized_weights import Blocks, QuantizedWeights, quantize_product
from quantune_mlir.numerics.stored_weights import stored_dot_scale, stored_integers, stored_product

_SPATIAL_ATTRIBUTES: Final = ("pad", "stride", "dilation", "out_pad")


def weights_of(unit: Unit) -> tuple[NDArray[np.float32], int] | None:
    """The fp32 weights of a dot unit and their output-channel axis; None for a matmul of two activations.

    Depthwise weights [KH, KW, C, M] are given as [KH, KW, C * M], so that output channels are one axis.
    """
    if unit.op.name == "tosa.matmul":
        return (_constant(unit.op.operands[1]), 2) if is_constant(unit.op.operands[1]) else None
    weights = _constant(unit.op.operands[1])
    if unit.op.name == "tosa.depthwise_conv2d":
        return weights.reshape(*weights.shape[:2], -1), 2
    return weights, 0


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
    return quantize_product(weights, bias, input_scale, options.scheme, channel_axis, format_.weights, correction)


def accumulator_bound(unit: Unit, params: Sequence[QuantParams], quantized: QuantizedWeights | None) -> int:
    """A bound of the accumulators of a dot unit with inputs of these parameters; None: its weights are an input."""
    if quantized is None:
        return bound_of_sums(unit, params)
    axis = 2 if unit.op.name in ("tosa.matmul", "tosa.depthwise_conv2d") else 0
    return largest_sum(quantized.integers, quantized.bias, axis, reach(params[0]))


def has_stored_weights(unit: Unit) -> bool:
    """Whether the constant weights of a dot unit are int8 with the scales that `quantune.weight_scales` tells."""
    found = weights_of(unit)
    return (
        found is not None
        and WEIGHT_SCALES in unit.op.attributes
        and (stored_integers(found[0], _stored_scales(unit.op), found[1]) is not None)
    )


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
    quantized = quantized_weights(unit, source.params.scale, options, format_)
    assert quantized.bias is not None
    require_no_overflow(unit, accumulator_bound(unit, [source.params], quantized))
    spatial = {name: op.attributes[name] for name in _SPATIAL_ATTRIBUTES if name in op.attributes}
    constants = [
        emitter.constant(array) for array in (quantized.integers.reshape(shape_of(op.operands[1])), quantized.bias)
    ]
    zero_points = emitter.scalar(source.params.zero_point, np.int8), emitter.scalar(0, np.int8)
    name, shape = op.name.removeprefix("tosa."), shape_of(op.results[0])
    accumulator = emitter.emit(
        build.convolution, name, [source.value, *constants], zero_points, shape, emitter.i32, emitter.i32, spatial
    )
    scale = _accumulator_scale(op, source.params.scale, quantized.scales)
    return finish(emitter, accumulator, scale, end, quantized.rest)


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
    left, quantized = inputs[0], None
    if is_constant(unit.op.operands[1]):
        quantized = quantized_weights(unit, left.params.scale, options, format_)
        right, right_zero_point, scales = emitter.constant(quantized.integers), 0, quantized.scales
    else:
        other = inputs[1]
        right, right_zero_point = other.value, other.params.zero_point
        scales = np.array([other.params.scale], np.float32)
    require_no_overflow(unit, accumulator_bound(unit, [tensor.params for tensor in inputs], quantized))
    zero_points = emitter.scalar(left.params.zero_point, np.int8), emitter.scalar(right_zero_point, np.int8)
    accumulator = emitter.emit(build.matmul, left.value, right, zero_points, emitter.i32)
    return finish(emitter, accumulator, _accumulator_scale(unit.op, left.params.scale, scales), end)


def _constant(value: ir.Value) -> NDArray[np.float32]:
    array = constant_value(value)
    assert array is not None
    return array
