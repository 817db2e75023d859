"""DepthToSpace and SpaceToDepth on NHWC images: a reshape, a transpose, a reshape.

In DCR order channel (row * block + column) * depth + d holds the pixel (row, column) of a block, in CRD order
channel (d * block + row) * block + column.
"""

from __future__ import annotations

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.sliding_window import from_image, to_image


@operator("DepthToSpace")
def depth_to_space(b: Builder, node: Node) -> Tensor:
    x = to_image(b, node.input(0))
    n, h, w, c = x.shape
    block = node.attributes["blocksize"]
    depth = c // (block * block)
    if node.attribute("mode", "DCR") == "DCR":
        split = b.transpose(b.reshape(x, (n, h, w, block, block, depth)), (0, 1, 3, 2, 4, 5))
    else:
        split = b.transpose(b.reshape(x, (n, h, w, depth, block, block)), (0, 1, 4, 2, 5, 3))
    return from_image(b, b.reshape(split, (n, h * block, w * block, depth)), 4)


@operator("SpaceToDepth")
def space_to_depth(b: Builder, node: Node) -> Tensor:
    x = to_image(b, node.input(0))
    n, h, w, c = x.shape
    block = node.attributes["blocksize"]
    split = b.reshape(x, (n, h // block, block, w // block, block, c))
    order = (0, 1, 3, 2, 4, 5) if node.attribute("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return from_image(b, b.reshape(b.transpose(split, order), (n, h // block, w // block, c * block * block)), 4)
