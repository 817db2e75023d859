"""Sparse weights made dense: the converter leaves them to a `tfl.densify`, which nothing can compute."""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

from quantune_mlir.importers.tflite.flatbuffer import BrokenBuffer, FlatTable
from quantune_mlir.importers.tflite.labels import layer_names
from quantune_mlir.importers.tflite.model_file import ModelFile
from quantune_mlir.mlir.attributes import LAYER
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import MOST_ELEMENTS, constant
from quantune_mlir.mlir.edit import replace

_DENSE: Final = 0
_SPARSITY: Final = 6
_INDEX_TYPES: Final = {1: np.int32, 2: np.uint16, 3: np.uint8}
"""By the number of a vector's type in the union of them."""


def densify(block: ir.Block, model: ModelFile) -> None:
    """Put a constant in place of each `tfl.densify` of a function whose ops are labelled. Raises BrokenBuffer."""
    sources = {layer: op.inputs[0] for op, layer in layer_names(model).items() if op.kind == "DENSIFY" and op.inputs}
    for view in list(block.operations):
        op = view.operation
        if op.name == "tfl.densify":
            source = sources.get(ir.StringAttr(op.attributes[LAYER]).value)
            if source is not None:
                tensor = model.tensors[source]
                array = dense_array(tensor.table, tensor.shape, model.stored(tensor))
                replace(op, constant(array, loc=op.location, ip=ir.InsertionPoint(op)))


def dense_array(table: FlatTable, shape: tuple[int, ...], values: np.ndarray) -> np.ndarray:
    """The dense form of a tensor in TACO's format: levels, each dense or compressed, in the order they are walked in.

    A level is a dimension of the tensor, or the inside of a block of one. Source: TensorFlow Lite's schema,
    SparsityParameters.

    Args:
        table: the tensor's table.
        shape: of the tensor.
        values: what is stored, in the order of the leaves.

    Raises:
        BrokenBuffer: the levels do not fit the shape or the values.
    """
    sparsity = table.table(_SPARSITY)
    if sparsity is None:
        raise BrokenBuffer("a dense tensor to be made dense")
    order, blocked = (sparsity.array(slot, np.int32).tolist() for slot in (0, 1))
    levels = sparsity.tables(2)
    if sorted(order) != list(range(len(shape) + len(blocked))) or len(levels) != len(order):
        raise BrokenBuffer(f"sparse levels {order} of a tensor of {len(shape)} dimensions")
    if not all(0 <= axis < len(shape) for axis in blocked) or prod(shape) > MOST_ELEMENTS:
        raise BrokenBuffer(f"sparse blocks {blocked}")
    walked, sizes = _walked(levels, prod(shape))
    if len(walked[0] if walked else ()) != values.size:
        raise BrokenBuffer(f"{values.size} values of a sparse tensor")
    by_dimension = {dimension: (where, size) for dimension, where, size in zip(order, walked, sizes, strict=True)}
    index = [by_dimension[axis][0] for axis in range(len(shape))]
    for number, axis in enumerate(blocked):
        inner, size = by_dimension[len(shape) + number]
        index[axis] = index[axis] * size + inner
    if any((where < 0).any() or (where >= size).any() for where, size in zip(index, shape, strict=True)):
        raise BrokenBuffer("a sparse value outside of its tensor")
    dense = np.zeros(shape, values.dtype)
    dense[tuple(index)] = values
    return dense


def _walked(levels: list[FlatTable], most: int) -> tuple[list[np.ndarray], list[int]]:
    """The coordinate of each leaf in each level, and the levels' sizes, 0 for compressed ones."""
    coordinates: list[np.ndarray] = []
    sizes: list[int] = []
    count = 1
    for level in levels:
        if level.scalar(0, "b", _DENSE) == _DENSE:
            size = level.scalar(1, "i", 0)
            if not 0 <= size * count <= most:
                raise BrokenBuffer(f"a sparse level of size {size}")
            parents, here = np.repeat(np.arange(count), size), np.tile(np.arange(size), count)
        else:
            size, segments, here = 0, _indices(level, 2), _indices(level, 4)
            counts = np.diff(segments)
            if segments.size != count + 1 or (counts < 0).any() or counts.sum() != here.size or here.size > most:
                raise BrokenBuffer("a sparse level that does not fit the one before")
            parents = np.repeat(np.arange(count), counts)
        coordinates = [*(where[parents] for where in coordinates), here]
        sizes.append(size)
        count = here.size
    return coordinates, sizes


def _indices(level: FlatTable, slot: int) -> np.ndarray:
    """A vector of indices in one of three types: a type's number, then a table with the values."""
    values, dtype = level.table(slot + 1), _INDEX_TYPES.get(level.scalar(slot, "B", 0))
    if values is None or dtype is None:
        raise BrokenBuffer("a compressed level without indices")
    return values.array(0, dtype).astype(np.int64)
