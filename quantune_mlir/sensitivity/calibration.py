"""Run 1: the fp32 program with observers, over the samples. Its result is a Profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.compilation import program_source
from quantune_mlir.backend.compiler import KnownProgram, Source
from quantune_mlir.backend.compiling import Compiling, untold
from quantune_mlir.backend.workers import MeasuringProgram, Workers
from quantune_mlir.errors import DataError, expect
from quantune_mlir.hardware.targets import Target
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.numerics.channels import ChannelStatistics
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.run_extremes import RunExtremes
from quantune_mlir.passes.calibrate.lower_observers import OBSERVED
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.channel_sums import channel_statistics, observed_channels
from quantune_mlir.sensitivity.measured_runs import KEY_OF_INFINITY, Rows, observe

_COUNTER_LIMIT: Final = 2**32 - 1
_MOST_RUNS: Final = 1 << 12
"""Whose extremes are held at once."""


class Calibrator:
    """The compiled observing program of one model.

    Parts of the samples (`SampleSet.only`) can be run by calibrators anywhere: `Profile.merge` puts their profiles
    together to that of all, to the byte. With workers one calibrator does that by itself.
    """

    def __init__(
        self, model: Model, target: Target, workers: Workers | None = None, compiling: Compiling = untold
    ) -> None:
        expect(model, Model, "Model.load(FILE)")
        self._model = model.hash
        self._program = MeasuringProgram(self._prepare(model, target), workers, compiling)

    def _prepare(self, model: Model, target: Target) -> Source | KnownProgram:
        """What the program is compiled from; its module, larger than the model, is gone before it is."""
        module = model.apart("observe")
        rows = ir.ArrayAttr(module.operation.attributes[OBSERVED])
        self._tensors = [ir.StringAttr(ir.DictAttr(row)["tensor_name"]).value for row in rows]
        sizes = (int(np.prod(ir.RankedTensorType(value.type).shape)) for value in model.network.tensors.names)
        largest = max(sizes, default=1)
        self._runs_per_drain = min(_COUNTER_LIMIT // largest, _MOST_RUNS)
        self._channels = observed_channels(module)
        return program_source(module, target)

    def run(self, samples: SampleSet, on_sample: Callable[[], None] = lambda: None) -> Profile:
        """One run over the samples.

        Raises:
            DataError: a tensor became NaN or Inf; the message names it and the (first) sample of the run.
        """
        histograms = [Histogram() for _ in self._tensors]
        channels: dict[str, ChannelStatistics] = {}
        asked = partial(
            observe,
            tensors=len(self._tensors),
            channels=bool(self._channels),
            runs_per_drain=self._runs_per_drain,
        )
        not_finite: dict[int, Rows] = {}
        for rows, state, runs, bad in self._program.together(asked, samples, on_sample):
            if bad is not None:
                not_finite[bad] = rows
            histograms = _added(histograms, rows)
            for name, found in channel_statistics(self._channels, state, runs).items():
                channels[name] = channels[name].merge(found) if name in channels else found
        if not_finite:
            sample = min(not_finite)
            raise self._not_finite(not_finite[sample], sample)
        by_tensor = dict(zip(self._tensors, histograms, strict=True))
        return Profile(self._model, samples.samples, by_tensor, channels)

    def _not_finite(self, rows: Rows, sample: int) -> DataError:
        """What to say of a run that left NaN or Inf in a tensor."""
        bad = next(place for place, (*_, keys) in enumerate(rows) if keys.max() >= KEY_OF_INFINITY)
        return DataError(
            f"the fp32 model yields NaN or Inf at sample {sample}",
            where=f"tensor {self._tensors[bad]!r}",
            remedy="remove the sample, or repair the model at this layer",
        )


def _added(histograms: Sequence[Histogram], rows: Rows) -> list[Histogram]:
    """The histograms and what the device counted since."""
    merged: list[Histogram] = []
    for before, (buckets, counts, keys) in zip(histograms, rows, strict=True):
        high, inverted_low = keys.T
        fresh = Histogram.from_counts(buckets, counts, RunExtremes.of(_values(~inverted_low), _values(high)))
        merged.append(before.merge(fresh) if before.count else fresh)
    return merged


def _values(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The f32 with the given order-preserving keys (see kernels/texts/observe.mlir)."""
    sign = np.uint32(0x80000000)
    return np.where(keys & sign, keys ^ sign, ~keys).view(np.float32)
