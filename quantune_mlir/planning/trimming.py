"""A plan of the front without what it has in fp32 for nothing.

A plan is a prefix of a list, and so has layers in fp32 that others, taken later, made needless. These go back, those
first that save most time.
"""

from __future__ import annotations

from collections.abc import Collection

from quantune_mlir.planning.front import Point, Problem, Trail, TrailStep


def trimmed(problem: Problem, point: Point, most_noise: float) -> Point:
    """The plan with layers back in the coarsest format, where that takes no time and leaves no more noise.

    Args:
        problem: whose front has it.
        point: the plan.
        most_noise: noise-to-signal power at the worst part of the output that is allowed.
    """
    coarsest, moved = problem.formats[0], point.moved
    ledger, noise = problem.ledgers(moved)
    saved = {name: -ledger.price(name, coarsest).time for name in moved}
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
