"""`--max-drop`: the quickest plan of the front that loses little, found by running candidates.

Along the front, up to all fp32, plans become slower and less noisy. The quickest is tried first, then the front is
halved: at most log2(n) + 2 plans of n are compiled and run. All fp32 is not tried, it loses nothing.
"""

from __future__ import annotations

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
    trials: list[Trial] = []
    plans: dict[int, Planned] = {}

    def accepts(index: int) -> bool:
        point = front[index]
        plans[index] = planner.plan(_policy(point), f"max_drop {max_drop:g}")
        drop = drop_of(plans[index].plan)
        trials.append(Trial(len(point.fp32), decibels(point.noise), drop, drop.points <= max_drop))
        return trials[-1].accepted

    refused, accepted = 0, len(front) - 1
    if accepted and accepts(0):
        accepted = 0
    while accepted - refused > 1:
        middle = (refused + accepted) // 2
        if accepts(middle):
            accepted = middle
        else:
            refused = middle
    planned = plans.get(accepted) or planner.plan(_policy(front[accepted]), f"max_drop {max_drop:g}")
    return Found(planned, tuple(trials))


def slower_and_cleaner(front: Sequence[Point]) -> list[Point]:
    """The points of a front that are worth having whatever their size, quickest first."""
    chosen: list[Point] = []
    for point in front:
        if not chosen or point.noise < chosen[-1].noise:
            chosen.append(point)
    return chosen


def _policy(point: Point) -> Policy:
    return lambda problem: decided(problem, point)
