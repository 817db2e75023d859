"""How evenly threads share the workgroups of a kernel, by modelled cycles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeVar

Cut = TypeVar("Cut")
"""A way to cut a kernel's output into workgroups."""

_POOLS: Final[dict[tuple[float, ...], int]] = {(1.0,): 3, (1.0, 1.0): 1, (1.0, 0.7): 1, (1.0, 1.0, 1.0, 1.0): 1}
"""Threads that may share a kernel, each by its speed, and how much their efficiency counts: cores of a system that does
other things too are rarely equally fast."""
_WORTH_SHARING: Final = 0.05
"""What a cut may cost one thread, of the time of the cheapest."""
_FEW: Final = 16
"""More workgroups for each thread than these are taken to be shared evenly; of more sizes not all are looked at."""
START_CYCLES: Final = 100.0
"""Cycles of a workgroup before its first product."""


@dataclass(frozen=True)
class Load:
    """Workgroups, in the order in which threads take them: `times` in a row of each of `cycles`."""

    times: int
    cycles: tuple[float, ...]

    @property
    def total(self) -> float:
        """Cycles on one thread."""
        return self.times * sum(self.cycles)

    def span(self, speeds: Sequence[float]) -> float:
        """Cycles until the last thread, each of its own speed, is done; one that is idle takes the next workgroup."""
        count = self.times * len(self.cycles)
        if count > _FEW * len(speeds):
            return self.total / sum(speeds)
        done = [0.0] * len(speeds)
        for cycles in self.cycles:
            for _ in range(self.times):
                idle = done.index(min(done))
                done[idle] += cycles / speeds[idle]
        return max(done)


def most_even(cuts: Iterable[tuple[Cut, Load]]) -> Cut:
    """The cut that keeps threads busy best, of those that cost one thread little; the first of equals."""
    listed = list(cuts)
    limit = (1 + _WORTH_SHARING) * min(load.total for _, load in listed)
    affordable = [(cut, load) for cut, load in listed if load.total <= limit]

    def cost(pair: tuple[Cut, Load]) -> float:
        return sum(weight * sum(speeds) * pair[1].span(speeds) for speeds, weight in _POOLS.items())

    return min(affordable, key=cost)[0]


def part_sizes(most: int, unit: int, total: int) -> list[int]:
    """Sizes in whole units, up to `most`, to cut `total` into: all if they are few, else those of the fewest parts."""
    count = ceil(most / unit)
    if count <= _FEW:
        sizes = [min(unit * n, total) for n in range(count, 0, -1)]
    else:
        fewest = ceil(total / most)
        sizes = [min(ceil(total / parts / unit) * unit, total) for parts in range(fewest, fewest + _FEW)]
    return list(dict.fromkeys(size for size in sizes if size <= most)) or [most]
