"""Policies: from the sensitivity list and the costs to the layers that stay fp32, each with its reason in numbers.

The noise model behind the predictions: each int8 layer adds its share of the noise-to-signal power at the network's
output (see propagation.py), independently of the others, and so does the rounding of tensors between layers, which no
layer takes away alone:

    predicted output SQNR = -10 log10( rounding + sum over int8 layers of their shares ).

Every policy is O(n log n) in the number of layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from quantune_mlir.errors import PlanError
from quantune_mlir.planning.budget import Budget
from quantune_mlir.planning.costs import Cost
from quantune_mlir.planning.front import Point, Problem, Trail, best_buys, pareto_front, walk
from quantune_mlir.planning.reasons import Decisions, decibels, explained
from quantune_mlir.planning.sensitivity import LayerSensitivity

FLOOR_DB: Final = 20.0
"""Predicted output SQNR that the default policy reaches at any cost: below it, int8 changes what a network decides."""

SATURATED_DB: Final = 10.0
"""SQNR of the output itself, with int8 throughout, below which noise saturates, so that predictions are optimistic."""

SATURATED_FLOOR_DB: Final = 20.0
"""The floor of such networks, which is also where the default policy leaves them."""

ROUNDING_MARGIN_DB: Final = 1.0
"""No floor is nearer than this to the output SQNR that the rounding of tensors alone leaves: each further dB would cost
more layers than the last."""

GOAL_DB: Final = 32.0
"""Predicted output SQNR at which the default policy is content: above it, int8 and fp32 decide alike."""

WORTHWHILE_DB: Final = 0.14
"""Between floor and goal, fp32 has to buy so many dB for each percent of the time that int8 saves."""

LEAST_SHARE: Final = 0.01
"""What a layer in fp32 costs at least, as a share of the time that int8 saves."""

Policy = Callable[[Problem], Decisions]
"""Decides on the layers that are free to be either."""


def all_int8(problem: Problem) -> Decisions:
    """Every layer in int8."""
    return explained(problem, Point(walk(problem, ()), 0), int8="the policy is int8 throughout")


def all_fp32(problem: Problem) -> Decisions:
    """Every layer in fp32."""
    trail = walk(problem, problem.layers)
    return explained(problem, Point(trail, len(trail.steps) - 1), fp32="the policy is fp32 throughout")


def fp32_layers(count: int) -> Policy:
    """The `count` most sensitive layers in fp32, no more and no less."""

    def decide(problem: Problem) -> Decisions:
        if not 0 <= count <= len(problem.layers):
            raise PlanError(f"{count} layers are to stay fp32, but only {len(problem.layers)} could be either")
        return explained(problem, Point(walk(problem, problem.layers[:count], alone=True), count))

    return decide


def within(budget: Budget) -> Policy:
    """The best plan of the front within a budget.

    With a least SQNR, the quickest plan that has it; else the one with the least noise.

    Raises (the policy does):
        PlanError: no plan is within the budget; with the nearest one.
    """

    def decide(problem: Problem) -> Decisions:
        return explained(problem, budget.choose(pareto_front(problem), problem))

    return decide


def default(problem: Problem) -> Decisions:
    """fp32 where it buys most for its time: up to the floor at any cost, up to the goal where it is worthwhile."""
    return explained(problem, knee(problem))


def knee(problem: Problem) -> Point:
    """Where the trail of best buys stops being worthwhile."""
    saved = problem.end.time - problem.start.time

    def share(cost: Cost) -> float:
        return LEAST_SHARE + (max(0.0, cost.time) / saved if saved > 0 else 0.0)

    order = [layer for layer in best_buys(problem, share) if layer.noise > 0]
    trail = walk(problem, order)
    saturated = decibels(problem.noise * problem.signal_share) < SATURATED_DB
    floor = min(SATURATED_FLOOR_DB if saturated else FLOOR_DB, decibels(problem.rounding) - ROUNDING_MARGIN_DB)
    return Point(trail, _stop(trail, share, floor=floor, saturated=saturated))


def _stop(trail: Trail, share: Callable[[Cost], float], *, floor: float, saturated: bool) -> int:
    """The number of steps before the first that is not wanted."""
    for taken, (before, after) in enumerate(pairwise(trail.steps)):
        now, then = decibels(before.noise), decibels(after.noise)
        worthwhile = then - now >= WORTHWHILE_DB * 100 * share(after.cost - before.cost)
        if now >= GOAL_DB or (now >= floor and (saturated or not worthwhile)):
            return taken
    return len(trail.steps) - 1


def predicted_sqnr_db(int8_layers: Sequence[LayerSensitivity], rounding: float) -> float:
    """Predicted SQNR at the network's output with these layers in int8; +inf without noise."""
    return decibels(rounding + math.fsum(layer.noise for layer in int8_layers))
