"""Decisions as data: each layer's precision, on which ground, and the numbers that it rests on.

Words are made of them in one place, reasons.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

from quantune_mlir.numerics.formats import FP32, NumberFormat
from quantune_mlir.planning.costs import LayerCost
from quantune_mlir.planning.front import Point, Problem, TrailStep


class Ground(str, Enum):
    """Why a layer has its precision."""

    WITHOUT_INT8 = "without_int8"
    """fp32: it has no int8 form."""
    KEPT = "kept"
    """fp32: its name matches --keep-fp32."""
    THROUGHOUT = "throughout"
    """The policy is one precision for all."""
    NOISELESS = "noiseless"
    """fp32: all layers may be, and nothing else is without noise."""
    BUYS = "buys"
    """fp32 or a finer format: what that takes off the noise was worth its time, or was needed."""
    NEIGHBOUR = "neighbour"
    """fp32 or a finer format: it is no slower, since a neighbour is."""
    INPUTS = "inputs"
    """fp32: so are all its inputs."""
    READERS = "readers"
    """fp32: so are all that read it."""
    QUIET = "quiet"
    """int8: other layers were worth more, or the plan is good enough."""
    GIVEN = "given"
    """A ready plan says so."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Decision:
    """One layer's precision, and why.

    Noise is a noise-to-signal power at the worst part of the network's output, time that of one inference in the unit
    of the cost model.

    Attributes:
        precision: what it computes in.
        ground: why.
        named: what the ground names: the neighbour, the regular expression, why there is no int8 form, a plan's reason.
        rank: its place among the layers that may be either, by the noise that they bring; the first brings most.
        brings: noise that it brings, in int8.
        noise_int8: predicted of the network with the layer in int8, all others as they were when this was decided.
        noise_fp32: the same with the layer in fp32 (or the finest format that there is), and with the neighbours that
            come along.
        extra_time: what fp32 takes more than int8, changed boundaries included, as the others were then.
        cost: of its own, in each precision; None if it is fp32 whatever is decided.
    """

    precision: NumberFormat
    ground: Ground
    named: str = ""
    rank: int | None = None
    brings: float | None = None
    noise_int8: float | None = None
    noise_fp32: float | None = None
    extra_time: float | None = None
    cost: LayerCost | None = None


Decisions = Mapping[str, Decision]
"""By layer."""


def decided(problem: Problem, point: Point, *, int8: Ground = Ground.QUIET, fp32: Ground = Ground.BUYS) -> Decisions:
    """The decisions that make a point of the front, on these grounds."""
    order = sorted(problem.layers, key=lambda layer: (-problem.noise_model.weight(layer.name), layer.index))
    free = {
        layer.name: Decision(
            problem.formats[0],
            int8,
            rank=rank,
            brings=problem.noise_model.weight(layer.name),
            cost=problem.costs.layers.get(layer.name),
        )
        for rank, layer in enumerate(order, 1)
    }
    if (
        fp32 is Ground.BUYS
        and len(free) > 1
        and len(point.trail.steps[point.steps].layers) == len(free)
        and problem.finest == FP32
    ):
        fp32 = Ground.NOISELESS
    for before, step in pairwise(point.trail.steps[: point.steps + 1]):
        for layer in step.layers:
            free[layer.name] = _in_fp32(free[layer.name], layer.name, before, step, fp32)
    ledger, noise = problem.ledgers(point.moved)
    for name, decision in free.items():
        if decision.precision.is_integer:
            free[name] = replace(
                decision,
                noise_int8=noise.worst,
                noise_fp32=noise.worst_with(name, problem.finest),
                extra_time=ledger.price(name, problem.finest).time,
            )
    return {layer.name: free[layer.name] for layer in problem.layers}


def _in_fp32(decision: Decision, name: str, before: TrailStep, step: TrailStep, ground: Ground) -> Decision:
    first = step.layers[0].name
    comes_along = ground is Ground.BUYS and name != first
    return replace(
        decision,
        precision=step.format,
        ground=Ground.NEIGHBOUR if comes_along else ground,
        named=first if comes_along else "",
        noise_int8=before.noise,
        noise_fp32=step.noise,
        extra_time=step.cost.time - before.cost.time,
    )
