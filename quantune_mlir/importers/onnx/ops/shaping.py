"""Ops that change a tensor's shape and keep its elements in order: Reshape, Flatten, Squeeze, Unsqueeze, ..."""

from __future__ import annotations

import math

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.shapes import normalized_axes, normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node


@operator("Identity")
def identity(b: Builder, node: Node) -> Tensor:
    return node.input(0)


@operator("Dropout")
def dropout(b: Builder, node: Node) -> list[Tensor]:
    """At inference the identity; the mask keeps everything."""
    x = node.input(0)
    ratio, training = node.constant_input(1, "the ratio"), node.constant_input(2, "training_mode")
    if training is not None and training.any() and (ratio is None or ratio.any()):
        raise Unsupported("training mode")
    mask_type = np.bool_ if node.opset >= 10 else x.dtype
    return [x, Tensor.constant(np.broadcast_to(np.ones((), mask_type), x.shape))]


@operator("Reshape", since=5)
def reshape(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    wanted = node.integers_input(1, "the shape") or []
    if not node.attribute("allowzero", 0):
        wanted = [x.shape[i] if s == 0 else s for i, s in enumerate(wanted)]
    if -1 in wanted:
        known = math.prod(s for s in wanted if s != -1)
        wanted = [x.size // max(known, 1) if s == -1 else s for s in wanted]
    if math.prod(wanted) != x.size:
        raise Unsupported(f"shape {list(x.shape)} cannot become {wanted}")
    return b.reshape(x, wanted)


@operator("Flatten")
def flatten(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    axis = node.attribute("axis", 1)
    axis = axis + x.rank if axis < 0 else axis
    rows = math.prod(x.shape[:axis])
    return b.reshape(x, (rows, math.prod(x.shape[axis:])))


def _axes(node: Node, rank: int) -> list[int] | None:
    """The axes of Squeeze and Unsqueeze: an attribute before opset 13, an input since."""
    axes = node.integers_input(1, "axes") if node.opset >= 13 else node.attribute("axes")
    return None if axes is None else normalized_axes(axes, rank)


@operator("Squeeze")
def squeeze(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    axes = _axes(node, x.rank)
    if axes is None:
        axes = [i for i, s in enumerate(x.shape) if s == 1]
    return b.reshape(x, [s for i, s in enumerate(x.shape) if i not in axes])


@operator("Unsqueeze")
def unsqueeze(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    given = node.integers_input(1, "axes") if node.opset >= 13 else node.attribute("axes")
    rank = x.rank + len(given or ())
    axes = normalized_axes(given or (), rank)
    rest = iter(x.shape)
    return b.reshape(x, [1 if i in axes else next(rest) for i in range(rank)])


@operator("Transpose")
def transpose(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    return b.transpose(x, node.attribute("perm") or range(x.rank)[::-1])


@operator("Expand")
def expand(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    wanted = node.integers_input(1, "the shape") or []
    return b.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(wanted)))


@operator("Shape")
def shape(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    sizes = np.asarray(x.shape, np.int64)[node.attribute("start", 0) : node.attribute("end", x.rank)]
    return Tensor.constant(sizes)


@operator("ConstantOfShape", "Range")
def computed_shape(b: Builder, node: Node) -> Tensor:
    raise Unsupported("the result's shape is computed at run time")


@operator("Constant")
def unreadable_constant(b: Builder, node: Node) -> Tensor:
    raise Unsupported("a constant that is not a tensor of numbers")


@operator("Tile", since=6)
def tile(b: Builder, node: Node) -> Tensor:
    return b.tile(node.input(0), node.integers_input(1, "the repeats") or [])


@operator("Size")
def size(b: Builder, node: Node) -> Tensor:
    return Tensor.constant(np.asarray(node.input(0).size, np.int64))


@operator("Concat")
def concat(b: Builder, node: Node) -> Tensor:
    tensors = [node.input(i) for i in range(len(node.inputs))]
    return b.concat(tensors, normalized_axis(node.attribute("axis", 1), tensors[0].rank))
