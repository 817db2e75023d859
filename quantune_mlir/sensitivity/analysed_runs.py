"""Which of the runs over the samples run 2 makes: noise energies, sums over a tensor, need fewer than histograms do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PROBED_EVERY: Final = 5
"""Samples of which one is probed: layers measured alone as well, their noise projected to the output."""

LEAST_PROBED: Final = 20
"""So many samples are probed if there are so many."""

LEAST_PROBED_FOR_PART: Final = 4
"""And so many for each part of the output."""


@dataclass(frozen=True)
class AnalysedRuns:
    """Ascending positions.

    Attributes:
        probed: runs of the probing function.
        compared: runs in which only accumulated noise is measured; as many as are probed, while there are so many.
    """

    probed: Sequence[int]
    compared: Sequence[int]

    @staticmethod
    def of(runs: int, *, probes: bool, parts: int = 1) -> AnalysedRuns:
        """A choice among so many runs, evenly spaced; none is probed if the program does not probe.

        Args:
            runs: how many there are.
            probes: whether the program probes.
            parts: of the output. Each probed run looks at one of them, in turns.
        """
        everything = range(runs)
        count = max(LEAST_PROBED, runs // PROBED_EVERY, LEAST_PROBED_FOR_PART * parts)
        if not probes:
            return AnalysedRuns((), _spread(everything, 2 * count))
        probed = _spread(everything, count)
        return AnalysedRuns(probed, _spread(sorted({*everything} - {*probed}), count))

    def __len__(self) -> int:
        return len(self.probed) + len(self.compared)

    def probed_for(self, part: int, parts: int) -> Sequence[int]:
        """The probed runs that look at one of so many parts of the output."""
        return self.probed[part::parts]

    @property
    def rarity(self) -> float:
        """How many runs there are to one that is probed; 1 if none is, for then all are measured alike."""
        return len(self) / len(self.probed) if self.probed else 1.0


def _spread(positions: Sequence[int], count: int) -> Sequence[int]:
    """`count` of `positions`, evenly spaced, or all."""
    count = min(count, len(positions))
    return [positions[index * len(positions) // count] for index in range(count)]
