"""The extremes of a tensor run by run, of which the outermost are kept: they tell how heavy its tails are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

KEPT: Final = 64
"""Extremes at either end: of hundreds of runs the tail, whatever their number."""


def _none() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class RunExtremes:
    """The outermost KEPT of what runs over one batch of samples had as their extremes; merged exactly.

    Attributes:
        runs: of how many; those that saw no element do not count.
        lowest: float32[min(runs, KEPT)], the smallest elements of runs, ascending.
        highest: float32[min(runs, KEPT)], the largest elements of runs, descending.
    """

    runs: int = 0
    lowest: NDArray[np.float32] = field(default_factory=_none)
    highest: NDArray[np.float32] = field(default_factory=_none)

    @staticmethod
    def of(lows: NDArray[np.float32], highs: NDArray[np.float32]) -> RunExtremes:
        """From the smallest and the largest element of each run, in any order. -0.0 counts as 0.0.

        Args:
            lows: float32[runs].
            highs: float32[runs].
        """
        zero = np.float32(0)
        return RunExtremes(len(lows), np.sort(lows + zero)[:KEPT], np.sort(highs + zero)[::-1][:KEPT])

    def merge(self, other: RunExtremes) -> RunExtremes:
        """Those of the same tensor in both sets of runs: exact, associative and commutative."""
        return self._with(other, self.runs + other.runs)

    def join(self, other: RunExtremes) -> RunExtremes:
        """Those of two tensors in the same runs; of a run whose extremes are far out in both it has both."""
        return self._with(other, max(self.runs, other.runs))

    def _with(self, other: RunExtremes, runs: int) -> RunExtremes:
        kept = min(runs, KEPT)
        lowest = np.sort(np.concatenate([self.lowest, other.lowest]))[:kept]
        highest = np.sort(np.concatenate([self.highest, other.highest]))[::-1][:kept]
        return RunExtremes(runs, lowest, highest)

    @property
    def minimum(self) -> float:
        """The smallest element of all, exactly a float32; +inf if there is none."""
        return float(self.lowest[0]) if self.runs else np.inf

    @property
    def maximum(self) -> float:
        """The largest; -inf if there is none."""
        return float(self.highest[0]) if self.runs else -np.inf

    def check(self) -> None:
        """Raise ValueError if no runs can have given these."""
        for name, ends in (("lowest", self.lowest), ("highest", -self.highest)):
            if len(ends) != min(self.runs, KEPT):
                raise ValueError(f"{len(ends)} {name} extremes of {self.runs} runs")
            if not np.isfinite(ends).all() or (np.diff(ends) < 0).any():
                raise ValueError(f"the {name} extremes of runs are not finite, or in no order")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunExtremes):
            return NotImplemented
        mine, theirs = ((e.runs, e.lowest.tolist(), e.highest.tolist()) for e in (self, other))
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]
