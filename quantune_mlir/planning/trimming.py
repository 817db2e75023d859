"""Plans of the front without what they have in fp32 for nothing.

A plan is a prefix of a list, and so has layers in fp32 that others, taken later, made needless. These go back: those
first that save most time, or that save most for the noise that they bring. What is left of a plan that has more in fp32
than is needed may be quicker than what is left of one that has hardly enough, so several are tried.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from quantune_mlir.planning.front import Point, Problem, Trail, TrailStep

_STARTS: Final = 4
"""So many of the quickest plans are trimmed, and about as many of the others, evenly spaced."""

_NONE: Final = 1e-12
"""Less noise than that is none."""


def trimmed_front(problem: Problem, sqnr_db: float) -> list[Point]:
    """Some plans of the front that have an SQNR, trimmed down to it.

    Args:
        problem: whose front it is.
        sqnr_db: predicted at the worst part of the output.
    """
    most_noise = 10 ** (-sqnr_db / 10)
    allowed = [point for point in problem.front if point.noise <= most_noise]
    quickest, others = allowed[:_STARTS], allowed[_STARTS:]
    starts = [*quickest, *others[:: max(1, len(others) // _STARTS)]]
    return [trimmed(problem, point, most_noise, by_noise=by_noise) for point in starts for by_noise in (False, True)]


def trimmed(problem: Problem, point: Point, most_noise: float, *, by_noise: bool = False) -> Point:
    """The plan with layers back in the coarsest format, where that saves time and leaves no more noise.

    Args:
        problem: whose front has it.
        point: the plan.
        most_noise: noise-to-signal power at the worst part of the output that is allowed.
        by_noise: whether those go back first that save most for the noise that they bring, not those that save most.
    """
    coarsest, moved = problem.formats[0], point.moved
    ledger, noise = problem.ledgers(moved)
    saved = {name: -ledger.price(name, coarsest).time for name in moved}
    if by_noise:
        now = noise.worst
        saved = {name: time / max(noise.worst_with(name, coarsest) - now, _NONE) for name, time in saved.items()}
    for name in sorted(moved, key=lambda name: (-saved[name], name)):
        if ledger.price(name, coarsest).time < 0 and noise.worst_with(name, coarsest) <= most_noise:
            ledger.move(name, coarsest)
            noise.move(name, coarsest)
            del moved[name]
    return point if len(moved) == len(point.moved) else _in_turn(problem, point, moved.keys())


def _in_turn(problem: Problem, point: Point, kept: Collection[str]) -> Point:
    """The plan that moves these of a point's layers, in its order and one by one."""
    ledger, noise = problem.ledger(), problem.noise_ledger()
    steps = [TrailStep((), noise.worst, ledger.total)]
    for step in point.trail.steps[: point.steps + 1]:
        for layer in step.layers:
            if layer.name in kept:
                ledger.move(layer.name, step.format)
                noise.move(layer.name, step.format)
                steps.append(TrailStep((layer,), noise.worst, ledger.total, step.format))
    return Point(Trail(tuple(steps)), len(steps) - 1)
