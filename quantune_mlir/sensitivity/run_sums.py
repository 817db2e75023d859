"""The sums of run 2, run by run: parts of the samples can be run anywhere, and are put together again exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError


@dataclass(frozen=True, eq=False)
class RunSums:
    """What was measured in each run. Sums over samples are made of it in their order, so that they are the same bits.

    Attributes:
        rows: how many are measured.
        by_run: by the run's position among the samples signal and noise of each row, float64[rows, 2].
    """

    rows: int
    by_run: Mapping[int, NDArray[np.float64]]

    @staticmethod
    def merge(parts: Iterable[RunSums]) -> RunSums:
        """The sums of all runs of the parts, in whatever order these come.

        Raises:
            DataError: there are none, they are of different programs, or two measured the same run.
        """
        found = list(parts)
        if not found:
            raise DataError("no sums of run 2 to merge")
        if len({part.rows for part in found}) > 1:
            raise DataError("sums of run 2 are of different programs", remedy="merge those of one model and options")
        by_run = {run: sums for part in found for run, sums in part.by_run.items()}
        if len(by_run) < sum(len(part.by_run) for part in found):
            raise DataError("two of the sums of run 2 have a run in common", remedy="give each run to one shard")
        return RunSums(found[0].rows, by_run)

    def total(self, runs: Sequence[int]) -> NDArray[np.float64]:
        """The sum over these runs, added up in this order: float64[rows, 2].

        Raises:
            DataError: one of them was not measured.
        """
        missing = [run for run in runs if run not in self.by_run]
        if missing:
            raise DataError(f"{len(missing)} runs were not measured, the first of them run {missing[0]}")
        total = np.zeros((self.rows, 2))
        for run in runs:
            total += self.by_run[run]
        return total
