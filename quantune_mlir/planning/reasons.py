"""Each layer's decision, and why, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.front import Point, Problem, Step
from quantune_mlir.planning.plan import Precision


class Decision(NamedTuple):
    """One layer's precision, and why."""

    precision: Precision
    reason: str


Decisions = dict[str, Decision]


def explained(problem: Problem, point: Point, *, int8: str | None = None, fp32: str | None = None) -> Decisions:
    """Decisions with their reasons; `int8` and `fp32` replace the numbers."""
    rank = {
        layer.name: place
        for place, layer in enumerate(
            sorted(problem.layers, key=lambda layer: (-problem.noise_model.weight(layer.name), layer.index)), 1
        )
    }
    if fp32 is None and len(problem.layers) > 1 and len(point.trail.steps[point.steps].layers) == len(problem.layers):
        fp32 = "fp32 throughout is within the budget, and the only plan without noise"
    decisions: Decisions = {}
    steps = point.trail.steps[: point.steps + 1]
    for before, step in pairwise(steps):
        for layer in step.layers:
            reason = fp32 or _reason_for_fp32(layer.name, before, step, rank, problem)
            decisions[layer.name] = Decision(Precision.FP32, reason)
    ledger = problem.ledger(point.fp32)
    for layer in problem.layers:
        if layer.name not in decisions:
            share = 100 * problem.noise_model.weight(layer.name) / problem.noise if problem.noise else 0.0
            price = _of_int8(ledger.price(layer.name).time, problem)
            reason = (
                f"{share:.2g} % of the noise that int8 throughout is predicted to have at the output; "
                f"fp32 would take {price}"
            )
            decisions[layer.name] = Decision(Precision.INT8, int8 or reason)
    return decisions


def _reason_for_fp32(name: str, before: Step, step: Step, rank: Mapping[str, int], problem: Problem) -> str:
    first = step.layers[0].name
    if name != first:
        return f"no slower in fp32, since {first!r} is: in int8 it would only add a boundary"
    price = _of_int8(step.cost.time - before.cost.time, problem)
    return (
        f"adds the {_ordinal(rank[name])} most noise to the output; keeping it fp32 raises the predicted output SQNR "
        f"from {decibels(before.noise):.1f} to {decibels(step.noise):.1f} dB and takes {price}"
    )


def _of_int8(time: float, problem: Problem) -> str:
    """A difference in time, beside that of all int8."""
    share = 100 * time / problem.start.time if problem.start.time else 0.0
    return f"{abs(share):.2g} % {'more' if share >= 0 else 'less'} time than int8 throughout"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
