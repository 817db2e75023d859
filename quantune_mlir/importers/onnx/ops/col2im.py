"""Col2Im: blocks that overlap, put back where they were cut out and added up; a gather for each of their pixels."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.slicing import gather_axis


@operator("Col2Im")
def blocks_to_image(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    image, block = (node.integers_input(i, what) or [] for i, what in ((1, "the image's shape"), (2, "the block's")))
    dimensions = len(image)
    stride, dilation = (node.attribute(name, [1] * dimensions) for name in ("strides", "dilations"))
    pads = node.attribute("pads", [0] * 2 * dimensions)
    spans = [dilation[i] * (block[i] - 1) + 1 for i in range(dimensions)]
    counts = [(image[i] + pads[i] + pads[dimensions + i] - spans[i]) // stride[i] + 1 for i in range(dimensions)]
    batch, rows, columns = x.shape
    if columns != prod(counts) or rows % prod(block):
        raise Unsupported(f"{list(x.shape)} for {columns} blocks of {block} in an image of {image}")
    channels = rows // prod(block)
    b.growth.take((batch, channels, *image), np.float64)
    pixels = b.reshape(x, (batch, channels, prod(block), columns))
    total: Tensor | None = None
    for number, tap in enumerate(product(*map(range, block))):
        of_tap = b.reshape(b.slice_axis(pixels, 2, number, 1), (batch, channels, columns))
        padded = b.pad(of_tap, [0, 0, 0], [0, 0, 1], 0)  # What no block has is the zero behind them all.
        offset = [tap[i] * dilation[i] - pads[i] for i in range(dimensions)]
        places = Tensor.constant(_block_at(image, counts, stride, offset).reshape(-1).astype(np.int32))
        found = gather_axis(b, padded, places, 2)
        total = found if total is None else b.add(total, found)
    assert total is not None
    return b.reshape(total, (batch, channels, *image))


def _block_at(image: list[int], counts: list[int], stride: list[int], offset: list[int]) -> np.ndarray:
    """Of each pixel the number of the block of which the pixel at `offset` lies there; prod(counts) if none does."""
    number, known = np.zeros(image, np.int64), np.ones(image, np.bool_)
    for axis, place in enumerate(np.indices(image)):
        step, rest = np.divmod(place - offset[axis], stride[axis])
        known &= (rest == 0) & (step >= 0) & (step < counts[axis])
        number = number * counts[axis] + step
    return np.where(known, number, prod(counts))
