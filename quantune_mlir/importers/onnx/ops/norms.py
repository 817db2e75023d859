"""Normalisations by mean squares and norms: RMS, group, mean and variance, Lp, local response; and pools of norms."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.shapes import normalized_axes, normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.normalization import standardized
from quantune_mlir.importers.onnx.ops.pooling import sum_pool, windowed
from quantune_mlir.importers.onnx.ops.powers import constant_power, sqrt
from quantune_mlir.importers.onnx.ops.sliding_window import from_image
from quantune_mlir.importers.onnx.ops.volumes import pool_of_volume

_NEARLY_ZERO: Final = 1e-37  # what a norm of zero is taken for: zeros stay zeros


@operator("RMSNormalization")
def rms_normalization(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    axes = range(normalized_axis(node.attribute("axis", -1), x.rank), x.rank)
    total = b.mul(x, x)
    for axis in axes:
        total = b.reduce("sum", total, axis)
    mean = b.scaled(total, 1 / math.prod(x.shape[a] for a in axes))
    factor = b.unary("rsqrt", b.shifted(mean, node.attribute("epsilon", 1e-5)))
    return b.mul(b.mul(x, factor), node.input(1))


@operator("GroupNormalization", since=18)
def group_normalization(b: Builder, node: Node) -> Tensor:
    """Until opset 20 scale and bias are one for each group, since then one for each channel."""
    x, groups = node.input(0), node.attributes["num_groups"]
    n, channels, rest = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    grouped = b.reshape(x, (n, groups, channels // groups * rest))
    standard = b.reshape(standardized(b, grouped, [2], node.attribute("epsilon", 1e-5))[0], x.shape)
    scale, bias = node.input(1), node.input(2)
    if scale.size == groups != channels:
        scale, bias = (_repeated(b, t, groups, channels) for t in (scale, bias))
    scale, bias = (b.reshape(t, (1, channels, *([1] * (x.rank - 2)))) for t in (scale, bias))
    return b.add(b.mul(standard, scale), bias)


def _repeated(b: Builder, x: Tensor, groups: int, channels: int) -> Tensor:
    return b.reshape(b.broadcast_to(b.reshape(x, (groups, 1)), (groups, channels // groups)), (channels,))


@operator("MeanVarianceNormalization")
def mean_variance_normalization(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    axes = normalized_axes(node.attribute("axes") or [0, 2, 3], x.rank)
    return standardized(b, x, axes, 1e-9)[0]


@operator("LpNormalization")
def lp_normalization(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    axis, p = normalized_axis(node.attribute("axis", -1), x.rank), node.attribute("p", 2)
    if p not in (1, 2):
        raise Unsupported(f"p = {p}; 1 and 2 are supported")
    total = b.clamp(b.reduce("sum", _powers(b, x, p), axis), _NEARLY_ZERO, math.inf)
    return b.mul(x, b.unary("reciprocal" if p == 1 else "rsqrt", total))


@operator("GlobalLpPool")
def global_lp_pool(b: Builder, node: Node) -> Tensor:
    x, p = node.input(0), node.attribute("p", 2)
    total = _powers(b, x, p)
    for axis in range(2, x.rank):
        total = b.reduce("sum", total, axis)
    return _root(b, total, p)


@operator("LpPool", since=2)
def lp_pool(b: Builder, node: Node) -> Tensor:
    x, p = node.input(0), node.attribute("p", 2)
    if x.rank == 5:
        return pool_of_volume(b, node, lp_pool)
    image, window, pads = windowed(b, node, x)
    return from_image(b, _root(b, sum_pool(b, _powers(b, image, p), window, pads), p), x.rank)


def _powers(b: Builder, x: Tensor, p: int) -> Tensor:
    """|x|^p."""
    return constant_power(b, x if p == 2 else b.unary("abs", x), p)


def _root(b: Builder, x: Tensor, p: int) -> Tensor:
    if p == 2:
        return sqrt(b, x)
    return x if p == 1 else constant_power(b, x, 1 / p)


@operator("LRN")
def local_response_normalization(b: Builder, node: Node) -> Tensor:
    """x / (bias + alpha / size * sum of squares over `size` channels around)^beta; the sum as a pool over channels."""
    x, size = node.input(0), node.attributes["size"]
    n, channels, rest = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    squares = b.reshape(b.mul(x, x), (n, channels, 1, rest))
    before = (size - 1) // 2
    padded = b.pad(squares, (0, before, 0, 0), (0, size - 1 - before, 0, 0))
    mean = b.avg_pool(padded, (n, channels, 1, rest), (size, 1), (1, 1), (0, 0, 0, 0))
    base = b.shifted(b.scaled(b.reshape(mean, x.shape), node.attribute("alpha", 1e-4)), node.attribute("bias", 1.0))
    return b.mul(x, constant_power(b, base, -float(np.float32(node.attribute("beta", 0.75)))))
