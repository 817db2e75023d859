"""What the program of run 1 holds of the channels in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.numerics.channels import ChannelStatistics
from quantune_mlir.passes.calibrate.lower_observers import CHANNELS


@dataclass(frozen=True)
class ChannelTensor:
    """One tensor among those observed: its name, and how many elements each of its channels has in one inference."""

    name: str
    rows: int
    channels: int


def observed_channels(module: ir.Module) -> list[ChannelTensor]:
    """The tensors, in graph order, of a module whose observers are lowered."""
    rows = [ir.DictAttr(row) for row in ir.ArrayAttr(module.operation.attributes[CHANNELS])]
    return [
        ChannelTensor(
            ir.StringAttr(row["tensor_name"]).value,
            ir.IntegerAttr(row["rows"]).value,
            ir.IntegerAttr(row["channels"]).value,
        )
        for row in rows
    ]


def channel_statistics(
    tensors: Sequence[ChannelTensor], state: Sequence[NDArray[np.generic]], runs: int
) -> dict[str, ChannelStatistics]:
    """The statistics of each tensor.

    Args:
        tensors: all that are observed.
        state: what @channels returned after so many inferences: int64[channels, BINS], float32[channels] twice.
        runs: number of inferences.
    """
    found: dict[str, ChannelStatistics] = {}
    first = 0
    for tensor in tensors:
        part = slice(first, first := first + tensor.channels)
        bins, minimum, maximum = (array[part] for array in state)
        extremes = (array.astype(np.float32) + np.float32(0) for array in (minimum, maximum))
        found[tensor.name] = ChannelStatistics(tensor.rows * runs, bins.astype(np.int64), *extremes)
    return found
