"""Elements picked or replaced one by one: GatherElements, GatherND, ScatterElements, ScatterND, and their kin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Final

import numpy as np
import onnx

from quantune_mlir.importers.common.block_emitter import refuse_empty
from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.shapes import normalized_axis
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.floats import computed_type
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.slicing import gather_axis, nonnegative


@operator("GatherElements")
def gather_elements(b: Builder, node: Node) -> Tensor:
    x, indices = node.input(0), node.input(1)
    refuse_empty(indices.shape)
    return elements_along(b, x, indices, normalized_axis(node.attribute("axis", 0), x.rank))


def elements_along(b: Builder, x: Tensor, indices: Tensor, axis: int) -> Tensor:
    """The elements of `x` at `indices` along an axis, each where its index stands."""
    strides = _strides(x.shape)
    grid = np.indices(indices.shape)
    rest = sum((grid[i] * strides[i] for i in range(x.rank) if i != axis), np.zeros(indices.shape, np.int64))
    if indices.array is not None:
        picked = np.where(indices.array < 0, indices.array + x.shape[axis], indices.array)
        return elements_at(b, x, rest + picked * strides[axis])
    along = b.scaled(nonnegative(b, indices, x.shape[axis]), strides[axis])
    flat = b.add(along, Tensor.constant(rest.reshape(-1).astype(np.int32)))
    return b.reshape(_rows(b, x, x.size, flat), indices.shape)


@operator("GatherND")
def gather_nd(b: Builder, node: Node) -> Tensor:
    x, places = node.input(0), node.input(1)
    batch = node.attribute("batch_dims", 0)
    if places.array is None:
        return _computed_rows(b, x, places, batch)
    indices = places.array
    depth = batch + indices.shape[-1]
    sizes = x.shape[:depth]
    places = np.concatenate([np.indices(indices.shape[:-1])[:batch], np.moveaxis(indices, -1, 0)])
    places = np.where(places < 0, places + np.reshape(sizes, (-1, *[1] * (indices.ndim - 1))), places)
    rows = np.arange(math.prod(sizes)).reshape(sizes)[tuple(places)]
    picked = _rows(b, x, math.prod(sizes), Tensor.constant(rows.reshape(-1).astype(np.int32)))
    return b.reshape(picked, (*indices.shape[:-1], *x.shape[depth:]))


def _computed_rows(b: Builder, x: Tensor, indices: Tensor, batch: int) -> Tensor:
    """GatherND by computed indices [..., D]: each is the number of a row of all that D axes, and the batches, tell."""
    refuse_empty(indices.shape)
    depth = batch + indices.shape[-1]
    flat = b.add(_row_numbers(b, indices, x.shape[batch:depth]), _first_rows(x.shape[:depth], indices.shape, batch))
    return b.reshape(_rows(b, x, math.prod(x.shape[:depth]), flat), (*indices.shape[:-1], *x.shape[depth:]))


def _row_numbers(b: Builder, indices: Tensor, sizes: Sequence[int]) -> Tensor:
    """Computed indices [..., D] into axes of these sizes, as int32 numbers of rows, flattened."""
    along = (
        b.scaled(nonnegative(b, b.slice_axis(indices, indices.rank - 1, axis, 1), size), stride)
        for axis, (size, stride) in enumerate(zip(sizes, _strides(sizes), strict=True))
    )
    return reduce(b.add, along)


def _first_rows(sizes: Sequence[int], shape: Sequence[int], batch: int) -> Tensor:
    """The number of the first row of the batch that each of the indices of a shape [..., D] is in."""
    of_batch = np.arange(math.prod(sizes[:batch])).reshape(sizes[:batch]) * math.prod(sizes[batch:])
    each = np.broadcast_to(of_batch.reshape(*sizes[:batch], *[1] * (len(shape) - 1 - batch)), shape[:-1])
    return Tensor.constant(each.reshape(-1).astype(np.int32))


@operator("ScatterElements", "ScatterND")
def scatter(b: Builder, node: Node) -> Tensor:
    """One gather from the data with the updates behind it: each element of the result is of the one or the other.

    With a reduction, one for each of the updates that the same element has.
    """
    x, places, updates = node.input(0), node.input(1), node.input(2)
    if places.array is None and node.op_type == "ScatterElements":
        return _scattered_along(b, node, x, places, updates, normalized_axis(node.attribute("axis", 0), x.rank))
    if places.array is None:
        return _scattered_rows(b, node, x, places, updates)
    indices = places.array
    elements = np.arange(x.size).reshape(x.shape)
    if node.op_type == "ScatterND":
        targets = elements[tuple(np.moveaxis(indices, -1, 0))].reshape(-1)
    else:
        axis = normalized_axis(node.attribute("axis", 0), x.rank)
        targets = elements[
            tuple(indices if i == axis else grid for i, grid in enumerate(np.indices(indices.shape)))
        ].reshape(-1)
    reduction, flat = node.attribute("reduction", "none"), b.reshape(updates, (updates.size,))
    if reduction == "none":
        elements.reshape(-1)[targets] = x.size + np.arange(updates.size)
        return elements_at(b, b.concat([b.reshape(x, (x.size,)), flat], 0), elements)
    if reduction not in _REDUCTIONS:
        raise Unsupported(f"reduction {reduction!r}")
    combine, neutral = _REDUCTIONS[reduction]
    with_neutral = b.concat([flat, b.splat(neutral, x.dtype)], 0)
    for part in _without_repeats(targets):
        source = np.full(x.size, updates.size)
        source[targets[part]] = part
        x = combine(b, x, elements_at(b, with_neutral, source.reshape(x.shape)))
    return x


def _scattered_rows(b: Builder, node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """ScatterND by computed indices [..., D]: what D axes tell are rows, of which some are replaced."""
    refuse_empty(indices.shape)
    sizes = x.shape[: indices.shape[-1]]
    rows, count = math.prod(sizes), math.prod(indices.shape[:-1])
    width = x.size // rows
    numbers = b.broadcast_to(b.reshape(_row_numbers(b, indices, sizes), (count, 1)), (count, width))
    matrix, replaced = b.reshape(x, (rows, width)), b.reshape(updates, (count, width))
    return b.reshape(_scattered_along(b, node, matrix, numbers, replaced, 0), x.shape)


def _scattered_along(b: Builder, node: Node, x: Tensor, indices: Tensor, updates: Tensor, axis: int) -> Tensor:
    """By indices that are computed: each of them is compared with all places along its axis."""
    count, size, reduction = indices.shape[axis], x.shape[axis], node.attribute("reduction", "none")
    if (*x.shape[:axis], count, *x.shape[axis + 1 :]) != indices.shape or count > _MOST_SCATTERED:
        raise Unsupported(f"{list(indices.shape)} computed indices into {list(x.shape)}")
    if reduction not in (*_REDUCTIONS, "none"):
        raise Unsupported(f"reduction {reduction!r}")
    picked = b.reshape(nonnegative(b, indices, size), indices.shape)
    places = np.arange(size, dtype=np.int32).reshape([size if i == axis else 1 for i in range(x.rank)])
    for i in range(count):
        here = b.compare("equal", b.slice_axis(picked, axis, i, 1), Tensor.constant(places))
        update = b.slice_axis(updates, axis, i, 1)
        update = update if reduction == "none" else _REDUCTIONS[reduction][0](b, x, update)
        x = b.select(here, update, x)
    return x


_MOST_SCATTERED: Final = 32
"""Indices along an axis."""
_REDUCTIONS: Final[dict[str, tuple[Callable[[Builder, Tensor, Tensor], Tensor], float]]] = {
    "add": (lambda b, x, y: b.add(x, y), 0),
    "mul": (lambda b, x, y: b.mul(x, y), 1),
    "max": (lambda b, x, y: b.binary("maximum", x, y), -np.inf),
    "min": (lambda b, x, y: b.binary("minimum", x, y), np.inf),
}


def _without_repeats(targets: np.ndarray) -> list[np.ndarray]:
    """The positions of `targets` in as few parts as have no target twice, first come first."""
    seen: dict[int, int] = {}
    rounds = np.empty(len(targets), np.int64)
    for position, target in enumerate(targets.tolist()):
        rounds[position] = seen[target] = seen.get(target, -1) + 1
    return [np.flatnonzero(rounds == r) for r in range(int(rounds.max(initial=-1)) + 1)]


@operator("ReverseSequence")
def reverse_sequence(b: Builder, node: Node) -> Tensor:
    x, counts = node.input(0), node.input(1)
    batch_axis, time_axis = node.attribute("batch_axis", 1), node.attribute("time_axis", 0)
    if {batch_axis, time_axis} != {0, 1}:
        raise Unsupported(f"batch_axis {batch_axis}, time_axis {time_axis}; 0 and 1, or 1 and 0, are defined")
    if counts.array is None:
        return _reversed_to(b, x, counts, batch_axis, time_axis)
    lengths = counts.array
    places = np.indices(x.shape)
    last = lengths.reshape([-1 if i == batch_axis else 1 for i in range(x.rank)]) - 1
    time = places[time_axis]
    places[time_axis] = np.where(time <= last, last - time, time)
    return elements_at(b, x, np.arange(x.size).reshape(x.shape)[tuple(places)])


def _reversed_to(b: Builder, x: Tensor, lengths: Tensor, batch_axis: int, time_axis: int) -> Tensor:
    """Up to lengths that are computed, one for each of a batch."""
    shape = [size if i in (batch_axis, time_axis) else 1 for i, size in enumerate(x.shape)]
    last = b.reshape(b.cast(lengths, np.int32), [size if i == batch_axis else 1 for i, size in enumerate(x.shape)])
    last = b.broadcast_to(b.shifted(last, -1), shape)
    time = Tensor.constant(np.indices(shape)[time_axis].astype(np.int32))
    places = b.select(b.compare("greater_equal", last, time), b.sub(last, time), time)
    return elements_along(b, x, b.broadcast_to(places, x.shape), time_axis)


@operator("Compress")
def compress(b: Builder, node: Node) -> Tensor:
    x, condition = node.input(0), node.constant_input(1, "the condition")
    assert condition is not None
    kept = Tensor.constant(np.flatnonzero(condition).astype(np.int32))
    refuse_empty(kept.shape)
    axis = node.attribute("axis")
    if axis is None:
        return gather_axis(b, b.reshape(x, (x.size,)), kept, 0)
    return gather_axis(b, x, kept, normalized_axis(axis, x.rank))


def _strides(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[i + 1 :]) for i in range(len(shape))]


def _rows(b: Builder, x: Tensor, rows: int, indices: Tensor) -> Tensor:
    return gather_axis(b, b.reshape(x, (rows, x.size // rows)), indices, 0)


def elements_at(b: Builder, x: Tensor, flat: np.ndarray) -> Tensor:
    """Elements by their numbers in `x` flattened, known at import, in the shape of the numbers."""
    if x.array is not None:
        return Tensor.constant(x.array.reshape(-1)[flat])
    indices = Tensor.constant(flat.reshape(-1).astype(np.int32))
    return b.reshape(_rows(b, x, x.size, indices), flat.shape)


@operator("Trilu")
def trilu(b: Builder, node: Node) -> Tensor:
    x, diagonal = node.input(0), node.constant_input(1, "k")
    k = 0 if diagonal is None else int(diagonal.reshape(()))
    ones = np.ones(x.shape[-2:], np.bool_)
    kept = np.triu(ones, k) if node.attribute("upper", 1) else np.tril(ones, k)
    return b.select(Tensor.constant(kept), x, b.splat(0, x.dtype))


@operator("EyeLike")
def eye_like(b: Builder, node: Node) -> Tensor:
    x, element = node.input(0), node.attribute("dtype")
    dtype = x.dtype if element is None else np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element))
    return Tensor.constant(np.eye(*x.shape, k=node.attribute("k", 0), dtype=computed_type(dtype)))


@operator("OneHot")
def one_hot(b: Builder, node: Node) -> Tensor:
    indices, depth, values = node.input(0), node.constant_input(1, "the depth"), node.input(2)
    assert depth is not None
    count = int(depth.reshape(()))
    axis = normalized_axis(node.attribute("axis", -1), indices.rank + 1)
    shape = [*indices.shape[:axis], 1, *indices.shape[axis:]]
    picked = b.reshape(nonnegative(b, indices, count), shape)
    places = np.arange(count, dtype=np.int32).reshape([count if i == axis else 1 for i in range(len(shape))])
    off, on = (b.slice_axis(values, 0, i, 1) for i in (0, 1))
    return b.select(b.compare("equal", picked, Tensor.constant(places)), on, off)
