"""Constant weights as a dense kernel reads them."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.isa.base import DotStep
from quantune_mlir.kernels.tiling.tiles import Tile, reduction_steps
from quantune_mlir.mlir.bindings import ir


def pack_weights(
    weights: NDArray[np.generic], shape: ConvolutionShape, step: DotStep, tile: Tile
) -> NDArray[np.generic]:
    """Weights [K, KH, KW, C] as [blocks][runs][steps][vector][lane][depth], flat; the last block may be narrower."""
    runs, steps = reduction_steps(shape, step.depth)
    by_run = weights.reshape(weights.shape[0], runs, -1)
    lanes = ceil(weights.shape[0] / step.lanes) * step.lanes
    packed = np.empty((lanes, runs * steps * step.depth), weights.dtype)
    block = tile.vectors * step.lanes
    for first in range(0, lanes, block):
        into = packed[first : first + block]
        part = np.zeros((len(into), runs, steps * step.depth), weights.dtype)
        given = by_run[first : first + block]
        part[: len(given), :, : given.shape[2]] = given
        split = part.reshape(-1, step.lanes, runs, steps, step.depth)
        into.reshape(runs, steps, -1, step.lanes, step.depth)[:] = split.transpose(2, 3, 0, 1, 4)
    return packed.reshape(-1)


def joined_groups(groups: int, shape: ConvolutionShape, lanes: int) -> int:
    """Into how many a kernel cuts a convolution of so many groups: narrow ones are computed together."""
    return next(
        groups // joined
        for joined in range(1, groups + 1)
        if groups % joined == 0 and (joined == groups or joined * shape.out_channels >= groups * lanes)
    )


def in_order(root: ir.Operation, weights: NDArray[np.generic]) -> NDArray[np.generic]:
    """Weights as [K, KH, KW, C], those of a matmul as of a convolution of 1 x 1."""
    return weights[0].T[:, None, None, :] if root.name == "tosa.matmul" else weights


def padded(values: NDArray[np.generic], lanes: int) -> NDArray[np.generic]:
    """With zeros up to whole vectors."""
    result = np.zeros(ceil(values.size / lanes) * lanes, values.dtype)
    result[: values.size] = values
    return result
