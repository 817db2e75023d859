"""`--max-drop`: the quickest plan of the front that loses little, found by running candidates.

Along the front, up to all fp32, plans become slower and less noisy. The quickest is tried first, then the one that is
expected to lose as much as it may, between those that lost too much and little enough; where one has not halved what is
left between these, the next one does. So at most 2 log2(n) + 3 plans of n are compiled and run, mostly two to five.
All fp32 is not tried, it loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quantune_mlir.numerics.drop import Drop, ScoreDrop
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.decisions import decided
from quantune_mlir.planning.front import Point
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planned, Planner
from quantune_mlir.planning.policies import Policy


@dataclass(frozen=True)
class Trial:
    """A plan that was run.

    Attributes:
        fp32_layers: how many layers it keeps in fp32 that could be int8.
        predicted_sqnr_db: at the output.
        drop: against fp32.
        accepted: whether that is little enough.
    """

    fp32_layers: int
    predicted_sqnr_db: float
    drop: Drop | ScoreDrop
    accepted: bool


@dataclass(frozen=True)
class Found:
    """The plan, and all that were tried on the way."""

    planned: Planned
    trials: tuple[Trial, ...]


def search(planner: Planner, drop_of: Callable[[PrecisionPlan], Drop | ScoreDrop], *, max_drop: float) -> Found:
    """The quickest plan whose expected drop is at most `max_drop` points.

    Args:
        planner: of the network.
        drop_of: compiles a plan, runs it, and says what it loses.
        max_drop: percent of the samples, or of fp32's score.
    """
    front = slower_and_cleaner(planner.problem.front)
    name = f"max_drop {max_drop:g}"
    tried: dict[int, tuple[Planned, Trial]] = {}

    def accepts(index: int) -> bool:
        point = front[index]
        planned = planner.plan(_policy(point), name)
        drop = drop_of(planned.plan)
        trial = Trial(len(point.fp32), decibels(point.noise), drop, drop.points <= max_drop)
        tried[index] = planned, trial
        return trial.accepted

    refused, accepted = 0, len(front) - 1
    if accepted and accepts(0):
        accepted = 0
    halves = False
    while (width := accepted - refused) > 1:
        places = range(refused + 1, accepted)
        bounds = [place for place in (refused, accepted) if place in tried]
        noise = _noise_that_loses(max_drop, [(front[place].noise, tried[place][1].drop.points) for place in bounds])
        expected = next((place for place in places if front[place].noise <= noise), places[-1])
        index = places[len(places) // 2] if halves else expected
        if accepts(index):
            accepted = index
        else:
            refused = index
        halves = len(tried) > 2 and accepted - refused > width / 2
    planned = tried[accepted][0] if accepted in tried else planner.plan(_policy(front[accepted]), name)
    return Found(planned, tuple(trial for _, trial in tried.values()))


def _noise_that_loses(points: float, tried: Sequence[tuple[float, float]]) -> float:
    """The noise of which so much is lost, as far as the noise and the loss of one or two plans tell, the noisier first.

    What is lost grows as a power of the noise: with its amplitude (numerics/drop.py), or as the two have it.
    """
    (noise, lost), *others = tried
    power = 0.5
    for less_noise, less in others:
        if less > 0 and less_noise > 0:
            power = math.log(lost / less) / math.log(noise / less_noise)
    return noise * (points / lost) ** (1 / power)


def slower_and_cleaner(front: Sequence[Point]) -> list[Point]:
    """The points of a front that are worth having whatever their size, quickest first."""
    chosen: list[Point] = []
    for point in front:
        if not chosen or point.noise < chosen[-1].noise:
            chosen.append(point)
    return chosen


def _policy(point: Point) -> Policy:
    return lambda problem: decided(problem, point)
