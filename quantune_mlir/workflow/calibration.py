"""Run 1: the fp32 program with observers, over the samples. Its result is a Profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError
from quantune_mlir.execution.program import Program
from quantune_mlir.execution.targets import Target
from quantune_mlir.ir.mlir import ir
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.insert_observers import InsertObservers
from quantune_mlir.passes.lower_channel_observers import LowerChannelObservers
from quantune_mlir.passes.lower_observers import OBSERVED, LowerObservers
from quantune_mlir.samples import SampleSet
from quantune_mlir.workflow.channel_sums import ChannelSums
from quantune_mlir.workflow.compilation import compile_program
from quantune_mlir.workflow.model import Model

_COUNTER_LIMIT: Final = 2**32 - 1
_KEY_OF_INFINITY: Final = np.uint32(0xFF800000)


class Calibrator:
    """The compiled observing program of one model."""

    def __init__(self, model: Model, target: Target) -> None:
        self._model = model.hash
        module = model.with_passes(InsertObservers(), LowerChannelObservers(), LowerObservers())
        rows = ir.ArrayAttr(module.operation.attributes[OBSERVED])
        self._tensors = [ir.StringAttr(ir.DictAttr(row)["tensor_name"]).value for row in rows]
        sizes = (int(np.prod(ir.RankedTensorType(value.type).shape)) for value in model.tensors.names)
        largest = max(sizes, default=1)
        self._runs_per_drain = _COUNTER_LIMIT // largest
        self._channels = ChannelSums.observed_by(module)
        self._program = Program(compile_program(module, target))

    def run(self, samples: SampleSet, on_sample: Callable[[], None] = lambda: None) -> Profile:
        """One run over the samples.

        Raises:
            DataError: a tensor became NaN or Inf; the message names it and the (first) sample of the run.
        """
        channels = self._channels.start()
        histograms = [Histogram() for _ in self._tensors]
        extremes = np.zeros((len(self._tensors), 2), np.uint32)
        for index, run in enumerate(samples):
            results = self._program(*run)
            if self._tensors:
                extremes = np.maximum(extremes, results[-1].view(np.uint32))
            self._require_finite(extremes, samples.number_of(index))
            channels.add(results[-2:-1])
            if (index + 1) % self._runs_per_drain == 0:
                histograms = self._drain(histograms, extremes)
                extremes = np.zeros_like(extremes)
            on_sample()
        histograms = self._drain(histograms, extremes)
        by_tensor = dict(zip(self._tensors, histograms, strict=True))
        return Profile(self._model, samples.samples, by_tensor, channels.statistics())

    def _drain(self, histograms: list[Histogram], extremes: NDArray[np.uint32]) -> list[Histogram]:
        """Adds the device's 32-bit counters, which are cleared, and the extremes since then to the histograms."""
        drained: list[Histogram] = []
        for row, (before, (high, low)) in enumerate(zip(histograms, extremes, strict=True)):
            (occupied,) = self._program.call("drain", row)
            buckets, counts = occupied.view(np.uint32).T
            fresh = Histogram.from_counts(buckets, counts, _value(~low), _value(high))
            drained.append(before.merge(fresh) if before.count else fresh)
        return drained

    def _require_finite(self, extremes: NDArray[np.uint32], sample: int) -> None:
        bad = np.flatnonzero((extremes >= _KEY_OF_INFINITY).any(axis=1))
        if bad.size:
            raise DataError(
                f"the fp32 model yields NaN or Inf at sample {sample}",
                where=f"tensor {self._tensors[bad[0]]!r}",
                remedy="remove the sample, or repair the model at this layer",
            )


def _value(key: np.uint32) -> float:
    """The f32 with the given order-preserving key (see kernels/observe.mlir)."""
    bits = key ^ np.uint32(0x80000000) if key & np.uint32(0x80000000) else ~key
    return float(bits.view(np.float32))
