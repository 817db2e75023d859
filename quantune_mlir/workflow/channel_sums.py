"""Adds up what each inference of run 1 tells of the channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.ir.mlir import ir
from quantune_mlir.numerics.channels import BINS, ChannelStatistics, exact_bins
from quantune_mlir.passes.lower_channel_observers import CHANNELS


@dataclass(frozen=True)
class ChannelTensor:
    """One tensor among those observed: its name, and how many elements each of its channels has in one inference."""

    name: str
    rows: int
    channels: int


class ChannelSums:
    """The state of a calibration: exact sums and extremes of all observed tensors, side by side."""

    def __init__(self, tensors: Sequence[ChannelTensor]) -> None:
        self._tensors = list(tensors)
        total = sum(tensor.channels for tensor in tensors)
        self._runs = 0
        self._bins = np.zeros((total, BINS), np.int64)
        self._minimum = np.full(total, np.inf, np.float32)
        self._maximum = np.full(total, -np.inf, np.float32)

    @staticmethod
    def observed_by(module: ir.Module) -> ChannelSums:
        """For a module whose channel observers are lowered."""
        rows = [ir.DictAttr(row) for row in ir.ArrayAttr(module.operation.attributes[CHANNELS])]
        return ChannelSums(
            [
                ChannelTensor(
                    ir.StringAttr(row["tensor_name"]).value,
                    ir.IntegerAttr(row["rows"]).value,
                    ir.IntegerAttr(row["channels"]).value,
                )
                for row in rows
            ]
        )

    def start(self) -> ChannelSums:
        """The same tensors, nothing seen yet."""
        return ChannelSums(self._tensors)

    def add(self, results: Sequence[NDArray[np.generic]]) -> None:
        """Adds what one inference returned: float32[3, channels], or nothing where no channel is observed."""
        self._runs += 1
        if self._tensors:
            sums, minimum, maximum = results[0].astype(np.float32, copy=False)
            self._bins += exact_bins(sums)
            np.minimum(self._minimum, minimum, out=self._minimum)
            np.maximum(self._maximum, maximum, out=self._maximum)

    def statistics(self) -> dict[str, ChannelStatistics]:
        """By tensor, in graph order."""
        found: dict[str, ChannelStatistics] = {}
        first = 0
        for tensor in self._tensors:
            part = slice(first, first := first + tensor.channels)
            extremes = (self._minimum[part] + np.float32(0), self._maximum[part] + np.float32(0))
            found[tensor.name] = ChannelStatistics(tensor.rows * self._runs, self._bins[part], *extremes)
        return found
