"""DeformConv: pixels between pixels, at places that are computed for each tap of the kernel, and then one product."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.grid_sample import sampled
from quantune_mlir.importers.onnx.ops.linear import fully_connected


@operator("DeformConv", since=19)
def deformable_convolution(b: Builder, node: Node) -> Tensor:
    x, weights, offset, mask = node.input(0), node.input(1), node.input(2), node.optional_input(4)
    if x.rank != 4 or not x.is_float:
        raise Unsupported(f"{x.rank - 2} spatial dimensions of {x.dtype}; 2 of f32 are supported")
    if weights.array is None:
        raise Unsupported("weights that are computed")
    (batch, channels, *_), outputs, kernel = x.shape, weights.shape[0], weights.shape[2:]
    groups, offset_groups = node.attribute("group", 1), node.attribute("offset_group", 1)
    if channels != groups * weights.shape[1] or channels % offset_groups or outputs % groups:
        raise Unsupported(f"{channels} channels in {groups} and {offset_groups} groups")
    taps, pixels, size = prod(kernel), prod(offset.shape[2:]), offset.shape[2:]
    offset = b.reshape(offset, (batch, offset_groups, taps, 2, pixels))
    places = _undisturbed(node, kernel, size)
    columns: list[Tensor] = []
    for group in range(offset_groups):
        share = channels // offset_groups
        moved = b.reshape(b.slice_axis(offset, 1, group, 1), (batch, taps, 2, pixels))
        moved = b.add(moved, Tensor.constant(places[None]))
        at = [b.reshape(b.slice_axis(moved, 2, axis, 1), (batch, taps * pixels, 1)) for axis in (0, 1)]
        found = sampled(b, b.slice_axis(x, 1, group * share, share), at, "linear")
        if mask is not None:
            weighed = b.slice_axis(b.reshape(mask, (batch, offset_groups, taps * pixels, 1)), 1, group, 1)
            found = b.mul(found, b.reshape(weighed, (batch, taps * pixels, 1)))
        columns.append(b.reshape(found, (batch, taps, pixels, share)))
    rows = b.transpose(b.concat(columns, 3), (0, 2, 3, 1))
    rows = b.reshape(rows, (batch * pixels, channels * taps))
    bias = node.optional_input(3) or Tensor.constant(np.zeros(outputs, x.dtype))
    result = b.reshape(fully_connected(b, rows, _as_matrix(weights.array, groups), bias), (batch, *size, outputs))
    return b.transpose(result, (0, 3, 1, 2))


def _undisturbed(node: Node, kernel: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    """Row and column that each tap reads without an offset: [taps, 2, pixels]."""
    stride, dilation = node.attribute("strides", [1, 1]), node.attribute("dilations", [1, 1])
    pads = node.attribute("pads", [0, 0, 0, 0])
    result = np.empty((prod(kernel), 2, *size), np.float32)
    pixel = np.indices(size)
    for tap, at in enumerate(product(*map(range, kernel))):
        for axis in (0, 1):
            result[tap, axis] = pixel[axis] * stride[axis] - pads[axis] + at[axis] * dilation[axis]
    return result.reshape(prod(kernel), 2, -1)


def _as_matrix(weights: np.ndarray, groups: int) -> Tensor:
    """[O, I / groups, H, W] as [I * H * W, O], zero where input and output are of different groups."""
    outputs, inputs, *kernel = weights.shape
    result = np.zeros((groups, inputs * prod(kernel), groups, outputs // groups), weights.dtype)
    for group, share in enumerate(weights.reshape(groups, outputs // groups, -1)):
        result[group, :, group] = share.T
    return Tensor.constant(result.reshape(groups * inputs * prod(kernel), outputs))
