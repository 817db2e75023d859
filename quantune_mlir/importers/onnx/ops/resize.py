"""Resize and Upsample: tosa.resize where it reads the same positions, one axis after another elsewhere.

An axis alone is resized by a gather (nearest) or by a product with a constant matrix (linear, cubic).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from quantune_mlir.importers.common.block_emitter import refuse_empty
from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.shapes import normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.interpolation import Interpolation
from quantune_mlir.importers.onnx.ops.linear import fully_connected
from quantune_mlir.importers.onnx.ops.sampling import AxisSampling, output_size, tosa_scale
from quantune_mlir.importers.onnx.ops.slicing import gather_axis
from quantune_mlir.mlir.constants import check_shape

_NEAREST = "nearest"


@dataclass(frozen=True)
class _Rule:
    """How values are picked once the positions are known."""

    interpolation: Interpolation
    rounding: str = "round_prefer_floor"
    extrapolation: float = 0.0

    @property
    def nearest(self) -> bool:
        return self.interpolation.mode == _NEAREST


@operator("Upsample", until=9)
def upsample(b: Builder, node: Node) -> Tensor:
    scales = node.attribute("scales")
    if scales is None:
        scales = _required_scales(node)
    return _scaled(b, node, [float(s) for s in scales])


@operator("Resize", until=10)
def resize_scales(b: Builder, node: Node) -> Tensor:
    return _scaled(b, node, [float(s) for s in _required_scales(node)])


def _required_scales(node: Node) -> np.ndarray:
    scales = node.constant_input(1, "the scales")
    if scales is None:
        raise Unsupported("the scales are missing")
    return scales.reshape(-1)


def _scaled(b: Builder, node: Node, scales: list[float]) -> Tensor:
    """Before opset 11 there was one transformation, and nearest rounded down."""
    x = node.input(0)
    axes = [AxisSampling(s, output_size(s, k), k, "asymmetric") for s, k in zip(x.shape, scales, strict=True)]
    return _resize(b, x, axes, _Rule(Interpolation(node.attribute("mode", _NEAREST)), "floor"))


@operator("Resize", since=11)
def resize(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    rule = _Rule(
        Interpolation(
            node.attribute("mode", _NEAREST),
            node.attribute("cubic_coeff_a", -0.75),
            bool(node.attribute("antialias", 0)),
            bool(node.attribute("exclude_outside", 0)),
        ),
        node.attribute("nearest_mode", "round_prefer_floor"),
        node.attribute("extrapolation_value", 0.0),
    )
    return _resize(b, x, _axes(node, x), rule)


def _axes(node: Node, x: Tensor) -> list[AxisSampling]:
    """The sampling of every axis from scales or sizes, which may speak of some axes only."""
    given = node.attribute("axes")
    axes = list(range(x.rank)) if given is None else [normalized_axis(a, x.rank) for a in given]
    lengths = [x.shape[a] for a in axes]
    transformation = node.attribute("coordinate_transformation_mode", "half_pixel")
    result = [AxisSampling(s, s, 1.0, transformation) for s in x.shape]
    regions = [(0.0, 1.0)] * len(axes)
    if transformation == "tf_crop_and_resize":
        corners = [
            float(v) for v in np.asarray(node.constant_input(1, "the region")).reshape(2, len(axes)).T.reshape(-1)
        ]
        regions = list(zip(corners[::2], corners[1::2], strict=True))
    for axis, output, scale, region in zip(axes, *_targets(node, lengths), regions, strict=True):
        result[axis] = AxisSampling(x.shape[axis], output, scale, transformation, region)
    return result


def _targets(node: Node, lengths: list[int]) -> tuple[list[int], list[float]]:
    """Output sizes and scales of axes of given lengths."""
    given = node.constant_input(2, "the scales")
    if given is not None and given.size:
        scales = [float(s) for s in given.reshape(-1)]
        return [output_size(n, s) for n, s in zip(lengths, scales, strict=True)], scales
    sizes = node.integers_input(3, "the sizes")
    if not sizes:
        raise Unsupported("neither scales nor sizes are given")
    scales = [s / n for s, n in zip(sizes, lengths, strict=True)]
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return sizes, scales
    common = min(scales) if policy == "not_larger" else max(scales)
    return [math.floor(common * n + 0.5) for n in lengths], [common] * len(lengths)


def _resize(b: Builder, x: Tensor, axes: list[AxisSampling], rule: _Rule) -> Tensor:
    mode = rule.interpolation.mode
    if mode not in (_NEAREST, "linear", "cubic"):
        raise Unsupported(f"mode {mode!r}")
    refuse_empty([a.output for a in axes])
    check_shape([a.output for a in axes])
    changed = [i for i, a in enumerate(axes) if not a.unchanged]
    plain = rule.nearest or (mode == "linear" and not rule.interpolation.antialias)
    if x.rank == 4 and set(changed) <= {2, 3} and x.is_float and plain:
        scales = [tosa_scale(axes[i], rule.rounding if rule.nearest else None) for i in (2, 3)]
        if scales[0] is not None and scales[1] is not None:
            image = b.transpose(x, (0, 2, 3, 1), layout=True)
            result = b.resize(image, [a.output for a in axes[2:]], scales[0], scales[1], nearest=rule.nearest)
            return b.transpose(result, (0, 3, 1, 2), layout=True)
    for i in changed:
        x = _resize_axis(b, x, i, axes[i], rule)
    return x


def _resize_axis(b: Builder, x: Tensor, axis: int, sampling: AxisSampling, rule: _Rule) -> Tensor:
    if rule.nearest:
        result = gather_axis(b, x, Tensor.constant(sampling.nearest(rule.rounding)), axis)
    else:
        b.growth.take((sampling.output, sampling.size), np.float64)
        result = _interpolated(b, x, axis, rule.interpolation.matrix(sampling))
    outside = sampling.outside()
    if not outside.any():
        return result
    mask = Tensor.constant(outside.reshape([-1 if i == axis else 1 for i in range(x.rank)]))
    return b.select(mask, b.splat(rule.extrapolation, x.dtype, x.rank), result)


def _interpolated(b: Builder, x: Tensor, axis: int, matrix: np.ndarray) -> Tensor:
    """`x` times a constant [output, size] along one axis."""
    if not x.is_float:
        raise Unsupported(f"interpolation of {x.dtype}")
    if x.array is not None:
        return Tensor.constant(np.moveaxis(np.moveaxis(x.array, axis, -1) @ matrix.T, -1, axis).astype(x.dtype))
    order = [*(i for i in range(x.rank) if i != axis), axis]
    last = b.transpose(x, order)
    outputs, inputs = matrix.shape
    weights, bias = Tensor.constant(matrix.T.astype(x.dtype)), Tensor.constant(np.zeros(outputs, x.dtype))
    product = fully_connected(b, b.reshape(last, (x.size // inputs, inputs)), weights, bias)
    return b.transpose(b.reshape(product, (*last.shape[:-1], outputs)), [order.index(i) for i in range(x.rank)])
