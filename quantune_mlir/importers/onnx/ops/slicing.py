"""Ops that pick parts of a tensor: Slice, Split, Gather."""

from __future__ import annotations

import numpy as np

from quantune_mlir.importers.common.block_emitter import refuse_empty
from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.shapes import normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.element_types import finite_mask

_POOLED = tuple(np.dtype(t) for t in (np.float32, np.float16, np.int8))


@operator("Slice", until=9)
def slice_attributes(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    starts, ends = node.attributes["starts"], node.attributes["ends"]
    return _slice(b, x, starts, ends, node.attribute("axes") or list(range(len(starts))), [1] * len(starts))


@operator("Slice", since=10)
def slice_inputs(b: Builder, node: Node) -> Tensor:
    starts = node.integers_input(1, "starts") or []
    ends = node.integers_input(2, "ends") or []
    axes = node.integers_input(3, "axes") or list(range(len(starts)))
    return _slice(b, node.input(0), starts, ends, axes, node.integers_input(4, "steps") or [1] * len(starts))


def _slice(b: Builder, x: Tensor, starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> Tensor:
    begin, size, stride = [0] * x.rank, list(x.shape), [1] * x.rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = normalized_axis(axis, x.rank)
        picked = _picked(start, end, step, x.shape[axis])
        if step < 0 and len(picked):
            x = b.reverse(x, axis)
            picked = range(x.shape[axis] - 1 - picked[0], x.shape[axis] - picked[-1], -step)
        begin[axis], size[axis], stride[axis] = picked.start, len(picked), abs(step)
    return strided_slice(b, x, begin, size, stride)


def _picked(start: int, end: int, step: int, size: int) -> range:
    """The indices that ONNX means: backwards, a start before the first element is the first one, unlike in Python."""
    if step > 0 or not size:
        return range(*slice(start, end, step).indices(size))
    start, end = (bound + size if bound < 0 else bound for bound in (start, end))
    return range(min(max(start, 0), size - 1), min(max(end, -1), size - 1), step)


def strided_slice(b: Builder, x: Tensor, begin: list[int], size: list[int], stride: list[int]) -> Tensor:
    """Elements begin, begin + stride, ... of each axis, `size` of them."""
    if x.array is not None:
        picks = (slice(s, s + (n - 1) * t + 1 if n else s, t) for s, n, t in zip(begin, size, stride, strict=True))
        return Tensor.constant(x.array[tuple(picks)])
    if 0 in size:
        return b.slice(x, begin, size)
    x = b.slice(x, begin, [(n - 1) * t + 1 for n, t in zip(size, stride, strict=True)])
    strided = [axis for axis, t in enumerate(stride) if t > 1]
    if x.rank == 4 and set(strided) <= {2, 3} and x.dtype in _POOLED:
        return _subsampled(b, x, size, stride)
    for axis in strided:
        x = _every(b, x, axis, size[axis], stride[axis])
    return x


def _subsampled(b: Builder, x: Tensor, size: list[int], stride: list[int]) -> Tensor:
    """Every stride-th pixel of [N, C, H, W], as a pool over windows of one pixel: it has an NHWC and an int8 form."""
    if stride == [1, 1, 1, 1]:
        return x
    image = b.transpose(x, (0, 2, 3, 1), layout=True)
    n, c, h, w = size
    pooled = b.max_pool(image, (n, h, w, c), (1, 1), stride[2:], (0, 0, 0, 0))
    return b.transpose(pooled, (0, 3, 1, 2), layout=True)


def _every(b: Builder, x: Tensor, axis: int, size: int, stride: int) -> Tensor:
    """Every stride-th element along one axis that has (size - 1) * stride + 1 of them."""
    if size == 1:
        return x
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    padding = [stride - 1 if i == axis else 0 for i in range(x.rank)]
    x = b.pad(x, [0] * x.rank, padding)
    x = b.reshape(x, (*before, size, stride, *after))
    return b.reshape(b.slice_axis(x, axis + 1, 0, 1), (*before, size, *after))


@operator("Split")
def split(b: Builder, node: Node) -> list[Tensor]:
    x = node.input(0)
    axis = normalized_axis(node.attribute("axis", 0), x.rank)
    sizes = node.integers_input(1, "split") if node.opset >= 13 else node.attribute("split")
    if sizes is None:
        count = node.attribute("num_outputs", len(node.outputs))
        chunk = -(-x.shape[axis] // count)
        sizes = [min(chunk, x.shape[axis] - i * chunk) for i in range(count)]
    starts = np.cumsum([0, *sizes[:-1]])
    return [b.slice_axis(x, axis, int(start), size) for start, size in zip(starts, sizes, strict=True)]


@operator("Gather")
def gather(b: Builder, node: Node) -> Tensor:
    x, indices = node.input(0), node.input(1)
    axis = normalized_axis(node.attribute("axis", 0), x.rank)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    refuse_empty(shape)
    if indices.array is not None:
        picked = np.where(indices.array < 0, indices.array + x.shape[axis], indices.array).reshape(-1).astype(np.int64)
        if (np.diff(picked) == 1).all():
            return b.reshape(b.slice_axis(x, axis, int(picked[0]), len(picked)), shape)
        rows = Tensor.constant(picked.astype(np.int32))
    else:
        rows = nonnegative(b, indices, x.shape[axis])
    return b.reshape(gather_axis(b, x, rows, axis), shape)


def gather_axis(b: Builder, x: Tensor, indices: Tensor, axis: int) -> Tensor:
    """Positions `indices` (int32 [W], in range) along `axis`. Infinities in a constant are those of a mask."""
    x = finite_mask(x)
    if x.dtype == np.int64:
        return b.cast(gather_axis(b, _of_32_bits(x), indices, axis), np.int64)
    order = [axis, *(i for i in range(x.rank) if i != axis)]
    front = b.transpose(x, order)
    rows = b.gather_rows(b.reshape(front, (x.shape[axis], x.size // x.shape[axis])), indices)
    result = b.reshape(rows, (indices.size, *front.shape[1:]))
    return b.transpose(result, [order.index(i) for i in range(x.rank)])


def _of_32_bits(x: Tensor) -> Tensor:
    """int64 constants, which TOSA does not gather, in int32."""
    if x.array is None or not np.array_equal(x.array, x.array.astype(np.int32)):
        raise Unsupported("gathering int64 values, which TOSA does not have")
    return Tensor.constant(x.array.astype(np.int32))


def nonnegative(b: Builder, indices: Tensor, count: int) -> Tensor:
    """Indices computed at run time, flattened, as int32 in [0, count): negative ones count from the end."""
    indices = b.cast(b.reshape(indices, (indices.size,)), np.int32)
    negative = b.compare("greater", b.splat(0, np.int32), indices)
    return b.select(negative, b.shifted(indices, count), indices)
