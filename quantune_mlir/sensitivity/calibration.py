"""Run 1: the fp32 program with observers, over the samples. Its result is a Profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.compilation import program_source
from quantune_mlir.backend.compiler import KnownProgram, Source
from quantune_mlir.errors import DataError
from quantune_mlir.hardware.targets import Target
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.calibrate.lower_observers import OBSERVED
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.channel_sums import channel_statistics, observed_channels

_LAST: Final = slice(-1, None)
_COUNTER_LIMIT: Final = 2**32 - 1
_NOT_READ: Final = 2**32 - 1
_KEY_OF_INFINITY: Final = np.uint32(0xFF800000)


class Calibrator:
    """The compiled observing program of one model."""

    def __init__(self, model: Model, target: Target) -> None:
        self._model = model.hash
        self._program = self._prepare(model, target).load()

    def _prepare(self, model: Model, target: Target) -> Source | KnownProgram:
        """What the program is compiled from; its module, larger than the model, is gone before it is."""
        module = model.apart("observe")
        rows = ir.ArrayAttr(module.operation.attributes[OBSERVED])
        self._tensors = [ir.StringAttr(ir.DictAttr(row)["tensor_name"]).value for row in rows]
        sizes = (int(np.prod(ir.RankedTensorType(value.type).shape)) for value in model.network.tensors.names)
        largest = max(sizes, default=1)
        self._runs_per_drain = _COUNTER_LIMIT // largest
        self._channels = observed_channels(module)
        return program_source(module, target)

    def run(self, samples: SampleSet, on_sample: Callable[[], None] = lambda: None) -> Profile:
        """One run over the samples.

        Raises:
            DataError: a tensor became NaN or Inf; the message names it and the (first) sample of the run.
        """
        histograms = [Histogram() for _ in self._tensors]
        for index, run in enumerate(samples):
            highest = self._program.call("main", *run, keep=_LAST)
            if self._tensors and highest[0].view(np.uint32)[0] >= _KEY_OF_INFINITY:
                raise self._not_finite(samples.number_of(index))
            if (index + 1) % self._runs_per_drain == 0:
                histograms = self._drain(histograms)
            on_sample()
        histograms = self._drain(histograms)
        state = self._program.call("channels") if self._channels else []
        channels = channel_statistics(self._channels, state, len(samples))
        by_tensor = dict(zip(self._tensors, histograms, strict=True))
        return Profile(self._model, samples.samples, by_tensor, channels)

    def _drain(self, histograms: Sequence[Histogram]) -> list[Histogram]:
        """Adds the device's 32-bit counters and extremes, which are cleared, to the histograms."""
        merged: list[Histogram] = []
        for before, (buckets, counts, high, low) in zip(histograms, self._rows(), strict=True):
            fresh = Histogram.from_counts(buckets, counts, _value(~low), _value(high))
            merged.append(before.merge(fresh) if before.count else fresh)
        return merged

    def _rows(self) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint32], np.uint32, np.uint32]]:
        """The occupied buckets of each tensor, their counts, and the extremes' keys, cleared on the device."""
        first = 0
        while first < len(self._tensors):
            pairs, numbers, extremes = (part.view(np.uint32) for part in self._program.call("drain", first))
            start = 0
            for number, keys in zip(numbers[first:], extremes[first:], strict=True):
                if number == _NOT_READ:
                    break
                buckets, counts = pairs[start : start + number].T
                yield buckets, counts, *keys
                start += int(number)
                first += 1

    def _not_finite(self, sample: int) -> DataError:
        """What to say of a run that left NaN or Inf in a tensor. The device's state is cleared."""
        extremes = [(high, low) for _, _, high, low in self._rows()]
        if self._channels:
            self._program.call("channels")
        bad = next(row for row, keys in enumerate(extremes) if max(keys) >= _KEY_OF_INFINITY)
        return DataError(
            f"the fp32 model yields NaN or Inf at sample {sample}",
            where=f"tensor {self._tensors[bad]!r}",
            remedy="remove the sample, or repair the model at this layer",
        )


def _value(key: np.uint32) -> float:
    """The f32 with the given order-preserving key (see kernels/texts/observe.mlir)."""
    bits = key ^ np.uint32(0x80000000) if key & np.uint32(0x80000000) else ~key
    return float(bits.view(np.float32))
