"""Policies: from the sensitivity list and the costs to the layers that stay fp32, each with its reason in numbers.

Every policy is O(n log n) in the number of layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from quantune_mlir.errors import PlanError
from quantune_mlir.numerics.formats import FP32
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.budget import Budget
from quantune_mlir.planning.decisions import Decisions, Ground, decided
from quantune_mlir.planning.front import Point, Problem, Trail, TrailStep, walk
from quantune_mlir.planning.trimming import trimmed_front

FLOOR_DB: Final = 22.5
"""Predicted SQNR of the worst part of the output that the default policy reaches at any cost: below it, int8 changes
what a network decides. 20 dB, and more for samples that were not analysed."""

GOAL_DB: Final = 32.0
"""Predicted output SQNR at which the default policy is content: above it, int8 and fp32 decide alike."""

WORTHWHILE_DB: Final = 0.18
"""Between floor and goal, fp32 has to buy so many dB for each percent of the time that int8 saves."""

TRIMMED_DB: Final = FLOOR_DB + 1.5
"""Predicted SQNR that plans are trimmed to: they have hardly more, and predictions are off by as much."""

LITTLE: Final = 0.15
"""So much of the time that int8 saves may all of that cost, beyond what the floor does."""

HARDLY: Final = 0.02
"""Or so much of the time of the quickest plan that has the floor, where that is more."""

NEXT_TO_NOTHING: Final = 0.02
"""So much of a plan's time all layers in fp32 may take after which there are no multiply-accumulates."""

Policy = Callable[[Problem], Decisions]
"""Decides on the layers that are free to be either."""


def all_int8(problem: Problem) -> Decisions:
    """Every layer in int8, or in what else is the coarsest format."""
    return decided(problem, Point(walk(problem, ()), 0), int8=Ground.THROUGHOUT)


def all_fp32(problem: Problem) -> Decisions:
    """Every layer in fp32."""
    trail = walk(problem, problem.layers)
    return decided(problem, Point(trail, len(trail.steps) - 1), fp32=Ground.THROUGHOUT)


def fp32_layers(count: int) -> Policy:
    """The `count` most sensitive layers in fp32, no more and no less."""

    def decide(problem: Problem) -> Decisions:
        if not 0 <= count <= len(problem.layers):
            raise PlanError(f"{count} layers are to stay fp32, but only {len(problem.layers)} could be either")
        return decided(problem, Point(walk(problem, problem.layers[:count], alone=True), count))

    return decide


def within(budget: Budget) -> Policy:
    """The best plan of the front within a budget.

    With a least SQNR, the quickest plan that has it, of some that are trimmed; else the one with the least noise.

    Raises (the policy does):
        PlanError: no plan is within the budget; with the nearest one.
    """

    def decide(problem: Problem) -> Decisions:
        point = budget.choose(problem.front, problem)
        if budget.min_sqnr_db is not None:
            tried = trimmed_front(problem, budget.min_sqnr_db)
            kept = [each for each in tried if budget.allows(each, problem)]
            point = min([*kept, point], key=lambda each: (each.cost.time, each.noise))
        return decided(problem, point)

    return decide


def default(problem: Problem) -> Decisions:
    """The floor at any cost, and what is worth most beyond that where it costs little."""
    return decided(problem, with_fp32_ends(problem, knee(problem)))


def knee(problem: Problem) -> Point:
    """The plan that is worth most, of those that have the floor and take little longer than the quickest.

    They are those of the front, some of them trimmed as well. Where none has the floor, it is the least noisy.
    """
    saved = max(0.0, problem.end.time - problem.start.time)
    tolerable = [point for point in problem.front if decibels(point.noise) >= FLOOR_DB]
    if not tolerable:
        return min(problem.front, key=lambda point: (point.noise, point.cost.time))
    tolerable += trimmed_front(problem, TRIMMED_DB)
    quickest = min(point.cost.time for point in tolerable)
    most = quickest + max(LITTLE * saved, HARDLY * quickest)
    affordable = [point for point in tolerable if point.cost.time <= most]
    return max(affordable, key=lambda point: (_worth(point, saved), -point.cost.time))


def _worth(point: Point, saved: float) -> float:
    """What a plan's SQNR up to the goal is worth, less its time, in shares of the time that int8 saves."""
    time = point.cost.time / saved if saved else 0.0
    return min(decibels(point.noise), GOAL_DB) / (100 * WORTHWHILE_DB) - time


def least_fp32(problem: Problem) -> Decisions:
    """What the default policy comes to where no layer is worth anything in fp32."""
    return decided(problem, with_fp32_ends(problem, Point(walk(problem, ()), 0)))


def with_fp32_ends(problem: Problem, point: Point) -> Point:
    """The same, but what comes after all multiply-accumulates in fp32, where that takes next to no time.

    Whatever the samples say: the output leaves in fp32, and probabilities far below 1/255 are 0 in int8. Before that,
    what has no multiply-accumulates and is no slower in fp32 is fp32 too.
    """
    if problem.finest != FP32:
        return point
    moved = point.moved
    ledger, noise = problem.ledgers(moved)
    steps = list(point.trail.steps[: point.steps + 1])
    layers = {layer.name: layer for layer in problem.layers}
    most = (1 + NEXT_TO_NOTHING) * point.cost.time

    def move(name: str) -> None:
        ledger.move(name)
        noise.move(name)
        steps.append(TrailStep((layers[name],), noise.worst, ledger.total))

    for name, readers in problem.tail.items():
        done = all(not ledger.format_of(reader).is_integer for reader in readers)
        if name not in moved and done and ledger.total.time + ledger.price(name).time <= most:
            move(name)
    for name, layer in layers.items():
        free = problem.costs.unit != "MACs" and ledger.format_of(name).is_integer and not layer.macs
        if free and ledger.price(name).time <= 0 < problem.noise_model.weight(name):
            move(name)
    return Point(Trail(tuple(steps)), len(steps) - 1)
