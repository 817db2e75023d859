"""Activations. Compositions use no tensor constants but splats, so that a layer stays a function of one value."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.element_types import narrowed, require_supported, widened
from quantune_mlir.importers.onnx.ops.functions import expm1, softplus

_LARGE: Final = 2.0**100


def _float_input(node: Node) -> Tensor:
    x = node.input(0)
    require_supported(x.dtype)
    if not x.is_float:
        raise Unsupported(f"element type {x.dtype}; f32 and f16 are supported")
    return x


@operator("Relu")
def relu(b: Builder, node: Node) -> Tensor:
    return _clipped(b, node.input(0), Tensor.constant(np.zeros((), node.input(0).dtype)), None)


@operator("Clip", until=10)
def clip_attributes(b: Builder, node: Node) -> Tensor:
    low, high = node.attribute("min", -math.inf), node.attribute("max", math.inf)
    return b.clamp(_float_input(node), low, high)


@operator("Clip", since=11)
def clip(b: Builder, node: Node) -> Tensor:
    return _clipped(b, node.input(0), node.optional_input(1), node.optional_input(2))


def _clipped(b: Builder, x: Tensor, low: Tensor | None, high: Tensor | None) -> Tensor:
    constant = all(t is None or t.array is not None for t in (low, high))
    if x.is_float and constant:
        require_supported(x.dtype)
        bounds = [
            default if t is None else t.known.reshape(()).item() for t, default in ((low, -math.inf), (high, math.inf))
        ]
        if bounds[0] <= bounds[1]:
            return b.clamp(x, *bounds)
    result = widened(b, x)
    if low is not None:
        result = b.binary("maximum", result, widened(b, low))
    if high is not None:
        result = b.binary("minimum", result, widened(b, high))
    return narrowed(b, result, x.dtype)


@operator("LeakyRelu")
def leaky_relu(b: Builder, node: Node) -> Tensor:
    x = _float_input(node)
    return _bent(b, x, b.splat(node.attribute("alpha", 0.01), x.dtype, x.rank))


@operator("PRelu", since=7)
def parametric_relu(b: Builder, node: Node) -> Tensor:
    return _bent(b, _float_input(node), node.input(1))


def _bent(b: Builder, x: Tensor, slope: Tensor) -> Tensor:
    """x where it is positive, else slope x: the larger of the two, the smaller where the slope is beyond 1."""
    if slope.array is None:
        return _where_positive(b, x, x, b.mul(x, slope))
    one = slope.dtype.type(1)
    result = b.binary("maximum", x, b.mul(x, Tensor.constant(np.minimum(slope.array, one))))
    if (slope.array <= 1).all():
        return result
    return b.binary("minimum", result, b.mul(result, Tensor.constant(np.maximum(slope.array, one))))


@operator("Elu")
def elu(b: Builder, node: Node) -> Tensor:
    return _exponential_unit(b, _float_input(node), node.attribute("alpha", 1.0), 1.0)


@operator("Celu")
def celu(b: Builder, node: Node) -> Tensor:
    alpha = node.attribute("alpha", 1.0)
    return _exponential_unit(b, _float_input(node), alpha, 1 / alpha)


@operator("Selu")
def selu(b: Builder, node: Node) -> Tensor:
    alpha, gamma = node.attribute("alpha", 1.6732632), node.attribute("gamma", 1.0507010)
    return b.scaled(_exponential_unit(b, _float_input(node), alpha, 1.0), gamma)


def _exponential_unit(b: Builder, x: Tensor, alpha: float, rate: float) -> Tensor:
    """x where positive, alpha * (exp(rate * x) - 1) elsewhere."""
    power = expm1(b, b.scaled(b.clamp(x, -math.inf, 0), rate))
    return _where_positive(b, x, x, b.scaled(power, alpha))


@operator("ThresholdedRelu")
def thresholded_relu(b: Builder, node: Node) -> Tensor:
    x = _float_input(node)
    above = b.compare("greater", x, b.splat(node.attribute("alpha", 1.0), x.dtype, x.rank))
    return b.select(above, x, b.splat(0, x.dtype, x.rank))


@operator("Softplus")
def softplus_node(b: Builder, node: Node) -> Tensor:
    return softplus(b, _float_input(node))


@operator("Mish")
def mish(b: Builder, node: Node) -> Tensor:
    x = _float_input(node)
    return b.mul(x, b.unary("tanh", softplus(b, x)))


@operator("Softsign")
def softsign(b: Builder, node: Node) -> Tensor:
    """x / (1 + |x|), which is +-1 long before the reciprocal of a large |x| is lost."""
    x = b.clamp(_float_input(node), -_LARGE, _LARGE)
    return b.mul(x, b.unary("reciprocal", b.shifted(b.unary("abs", x), 1)))


def _where_positive(b: Builder, x: Tensor, positive: Tensor, otherwise: Tensor) -> Tensor:
    return b.select(b.compare("greater_equal", x, b.splat(0, x.dtype, x.rank)), positive, otherwise)


@operator("Sigmoid", "Tanh", "Erf")
def native(b: Builder, node: Node) -> Tensor:
    function = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Erf": "erf"}[node.op_type]
    return b.unary(function, _float_input(node))


@operator("Swish")
def swish(b: Builder, node: Node) -> Tensor:
    x = _float_input(node)
    return b.mul(x, b.unary("sigmoid", b.scaled(x, node.attribute("alpha", 1.0))))


@operator("Shrink")
def shrink(b: Builder, node: Node) -> Tensor:
    """x pulled towards zero by `bias` beyond `lambd` on either side, zero between."""
    x = _float_input(node)
    bound, bias = node.attribute("lambd", 0.5), node.attribute("bias", 0.0)
    above = b.compare("greater", x, b.splat(bound, x.dtype, x.rank))
    below = b.compare("greater", b.splat(-bound, x.dtype, x.rank), x)
    outside = b.select(above, b.shifted(x, -bias), b.shifted(x, bias))
    return b.select(b.binary("logical_or", above, below), outside, b.splat(0, x.dtype, x.rank))


@operator("HardSigmoid")
def hard_sigmoid(b: Builder, node: Node) -> Tensor:
    return _hard_sigmoid(b, _float_input(node), node.attribute("alpha", 0.2), node.attribute("beta", 0.5))


@operator("HardSwish")
def hard_swish(b: Builder, node: Node) -> Tensor:
    x = _float_input(node)
    return b.mul(x, _hard_sigmoid(b, x, 1 / 6, 0.5))


def _hard_sigmoid(b: Builder, x: Tensor, alpha: float, beta: float) -> Tensor:
    return b.clamp(b.shifted(b.scaled(x, alpha), beta), 0, 1)


@operator("Gelu")
def gelu(b: Builder, node: Node) -> Tensor:
    """x * P(X <= x) for a standard normal X, exactly or by the tanh approximation."""
    x = _float_input(node)
    if node.attribute("approximate", "none") == "tanh":
        cube = b.mul(b.mul(x, x), x)
        inner = b.scaled(b.add(x, b.scaled(cube, 0.044715)), math.sqrt(2 / math.pi))
        step = b.unary("tanh", inner)
    else:
        step = b.unary("erf", b.scaled(x, math.sqrt(0.5)))
    return b.mul(b.scaled(x, 0.5), b.shifted(step, 1))
