"""BatchNormalization, LayerNormalization, InstanceNormalization, Softmax and LogSoftmax."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.shapes import normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.mlir.edit import defining_op


@operator("BatchNormalization")
def batch_normalization(b: Builder, node: Node) -> Tensor:
    """One multiply and one add per channel: y = x * s + (beta - mean * s), s = gamma / sqrt(variance + epsilon)."""
    x = node.input(0)
    if node.attribute("training_mode", 0) or any(node.uses_output(i) for i in range(1, 5)):
        raise Unsupported("training mode")
    if node.attribute("spatial", 1) != 1:
        raise Unsupported("spatial=0")
    names = ("scale", "bias", "mean", "variance")
    if any(node.input(i).array is None for i in range(1, 5)):
        return _computed_batch_normalization(b, node)
    gamma, beta, mean, variance = (
        np.asarray(node.constant_input(i, name), np.float64) for i, name in enumerate(names, start=1)
    )
    factor = gamma / np.sqrt(variance + node.attribute("epsilon", 1e-5))
    if not np.isfinite(factor).all():
        raise Unsupported("a variance is negative, or zero like epsilon")
    summand = beta - mean * factor
    shape = _channel_shape(x)
    scaled = b.mul(x, Tensor.constant(factor.astype(x.dtype).reshape(shape)))
    return b.add(scaled, Tensor.constant(summand.astype(x.dtype).reshape(shape)))


def _channel_shape(x: Tensor) -> tuple[int, ...]:
    return (1, -1, *([1] * (x.rank - 2)))


def _computed_batch_normalization(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    channels = (1, node.input(1).size, *([1] * (x.rank - 2)))
    gamma, beta, mean, variance = (b.reshape(node.input(i), channels) for i in range(1, 5))
    deviation = b.unary("rsqrt", b.shifted(variance, node.attribute("epsilon", 1e-5)))
    return b.add(b.mul(b.sub(x, mean), b.mul(deviation, gamma)), beta)


@operator("LayerNormalization")
def layer_normalization(b: Builder, node: Node) -> list[Tensor]:
    x = node.input(0)
    axes = range(normalized_axis(node.attribute("axis", -1), x.rank), x.rank)
    standard, mean, deviation = standardized(b, x, axes, node.attribute("epsilon", 1e-5))
    result, bias = b.mul(standard, node.input(1)), node.optional_input(2)
    return [result if bias is None else b.add(result, bias), mean, deviation]


@operator("InstanceNormalization", since=6)
def instance_normalization(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    standard, _, _ = standardized(b, x, range(2, x.rank), node.attribute("epsilon", 1e-5))
    scale, bias = (b.reshape(node.input(i), (1, x.shape[1], *([1] * (x.rank - 2)))) for i in (1, 2))
    return b.add(b.mul(standard, scale), bias)


def standardized(b: Builder, x: Tensor, axes: Sequence[int], epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """(x - mean) / deviation over `axes`, the mean, and 1 / deviation."""
    count = int(np.prod([x.shape[a] for a in axes]))

    def mean_of(t: Tensor) -> Tensor:
        for axis in axes:
            t = b.reduce("sum", t, axis)
        return b.scaled(t, 1 / count)

    mean = mean_of(x)
    centred = b.sub(x, mean)
    deviation = b.unary("rsqrt", b.shifted(mean_of(b.mul(centred, centred)), epsilon))
    return b.mul(centred, deviation), mean, deviation


@operator("Softmax", "LogSoftmax", until=12)
def flattened_softmax(b: Builder, node: Node) -> Tensor:
    """Before opset 13 all axes from `axis` on were normalized together."""
    x = node.input(0)
    axis = normalized_axis(node.attribute("axis", 1), x.rank)
    longer = [i for i in range(axis, x.rank) if x.shape[i] > 1]
    if len(longer) <= 1:
        return _softmax(b, node.op_type, x, longer[0] if longer else axis)
    rows = int(np.prod(x.shape[:axis], dtype=np.int64))
    return b.reshape(_softmax(b, node.op_type, b.reshape(x, (rows, x.size // rows)), 1), x.shape)


@operator("Softmax", "LogSoftmax", since=13)
def softmax(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    return _softmax(b, node.op_type, x, normalized_axis(node.attribute("axis", -1), x.rank))


def _softmax(b: Builder, op_type: str, x: Tensor, axis: int) -> Tensor:
    shifted = b.sub(x, b.reduce("max", x, axis))
    exponentials = b.unary("exp", shifted)
    total = b.reduce("sum", exponentials, axis)
    if op_type == "LogSoftmax":
        return b.sub(shifted, b.unary("log", total))
    return b.mul(exponentials, b.unary("reciprocal", total))


def softmax_maximum(x: Tensor) -> Tensor | None:
    """The largest number of each row that went into a softmax, if `x` is one as `_softmax` builds it."""
    value = x.value
    for name, operand in (("tosa.mul", 0), ("tosa.exp", 0), ("tosa.sub", 1), ("tosa.reduce_max", None)):
        op = None if value is None else defining_op(value, name)
        if op is None:
            return None
        value = op.results[0] if operand is None else op.operands[operand]
    return None if value is None else Tensor.computed(value, x.dtype)
