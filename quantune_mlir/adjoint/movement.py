"""Adjoints of what moves, selects, repeats or interpolates elements: what a result has goes back to where it came from.

Interpolation and constant selection are linear along an axis: their adjoint is a product with the transposed matrix.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.adjoint import float_ops as ops
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa.resizing import ResizedAxis, resized_axes
from quantune_mlir.mlir.tosa.traits import axis_of

_LARGEST_MATRIX = 1 << 22


class NoAdjointError(Exception):
    """A unit between the layers and the output has no adjoint here."""


def through_movement(op: ir.Operation, source: ir.Value, cotangent: ir.Value) -> ir.Value:
    """The cotangent of `source`, the only activation that an op reads, from that of its result.

    Raises:
        NoAdjointError: the op has none here.
    """
    match op.name:
        case "tosa.reshape":
            return ops.reshape(cotangent, shape_of(source))
        case "tosa.transpose":
            permutation = list(ir.DenseI32ArrayAttr(op.attributes["perms"]))
            return ops.transpose(cotangent, [int(axis) for axis in np.argsort(permutation)])
        case "tosa.slice":
            starts, sizes = _integers(op.operands[1]), shape_of(op.results[0])
            pairs = [(s, whole - s - part) for s, whole, part in zip(starts, shape_of(source), sizes, strict=True)]
            return ops.pad(cotangent, pairs)
        case "tosa.pad":
            return ops.cut(cotangent, _integers(op.operands[1])[::2], shape_of(source))
        case "tosa.identity":
            return cotangent
        case "tosa.reverse":
            return ops.reverse(cotangent, axis_of(op))
        case "tosa.tile":
            return _through_tile(source, cotangent)
        case "tosa.reduce_max" | "tosa.reduce_min":
            return _through_extreme(op, source, cotangent)
        case "tosa.gather":
            return _through_gather(op, source, cotangent)
        case "tosa.resize":
            return _through_resize(op, source, cotangent)
        case _:
            raise NoAdjointError(op.name)


def _through_tile(source: ir.Value, cotangent: ir.Value) -> ir.Value:
    sizes = shape_of(source)
    times = [whole // size for whole, size in zip(shape_of(cotangent), sizes, strict=True)]
    for axis in (i for i, count in enumerate(times) if count > 1):
        shape = shape_of(cotangent)
        split = ops.reshape(cotangent, (prod(shape[:axis]), times[axis], sizes[axis] * prod(shape[axis + 1 :])))
        cotangent = ops.reshape(ops.total(split, [1]), (*shape[:axis], sizes[axis], *shape[axis + 1 :]))
    return cotangent


def _through_extreme(op: ir.Operation, source: ir.Value, cotangent: ir.Value) -> ir.Value:
    """To the elements that are the extreme."""
    pair = (op.results[0], source) if op.name == "tosa.reduce_max" else (source, op.results[0])
    zero = ops.number(np.zeros((1,) * len(shape_of(source))))
    return ops.select(ops.greater(*pair), zero, cotangent)


def _through_gather(op: ir.Operation, source: ir.Value, cotangent: ir.Value) -> ir.Value:
    """The adjoint of a gather from [N, K, C] by constant indices [N, W]."""
    indices = constant_value(op.operands[1])
    batch, rows, _ = shape_of(source)
    if indices is None or indices.size * rows > _LARGEST_MATRIX:
        raise NoAdjointError(op.name)
    chosen = np.zeros((batch, rows, indices.shape[1]), np.float32)
    for n in range(batch):
        chosen[n, indices[n], np.arange(indices.shape[1])] = 1
    return ops.matmul(ops.number(chosen), cotangent)


def _through_resize(op: ir.Operation, source: ir.Value, cotangent: ir.Value) -> ir.Value:
    axes = resized_axes(op)
    if axes is None:
        raise NoAdjointError(op.name)
    for axis, resized in enumerate(axes, start=1):
        matrix = _interpolation(resized, shape_of(source)[axis])
        order = [i for i in range(4) if i != axis] + [axis]
        last = ops.transpose(cotangent, order)
        rows = shape_of(last)[:3]
        product = ops.matmul(ops.reshape(last, (1, prod(rows), len(matrix))), ops.number(matrix[None]))
        cotangent = ops.transpose(ops.reshape(product, (*rows, matrix.shape[1])), [int(i) for i in np.argsort(order)])
    return cotangent


def _interpolation(axis: ResizedAxis, pixels: int) -> NDArray[np.float32]:
    """[results, pixels]: what each result takes of each pixel."""
    results = len(axis.pixels)
    matrix = np.zeros((results, pixels), np.float32)
    for pixel, share in zip(axis.pixels.T, axis.shares.T, strict=True):
        np.add.at(matrix, (np.arange(results), pixel), (share / axis.parts).astype(np.float32))
    return matrix


def _integers(value: ir.Value) -> list[int]:
    array = constant_value(value)
    if array is None:
        raise NoAdjointError(value.owner.name)
    return [int(v) for v in array.reshape(-1)]
