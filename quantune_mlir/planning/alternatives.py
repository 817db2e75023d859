"""The front beside the plan that was made: what each plan is predicted to have, and which options choose it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.numerics.formats import INT8, INT16_ACTIVATIONS
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.front import Point
from quantune_mlir.planning.planner import Planned

_MOST_DECIMALS: Final = 9
_BEYOND: Final = "1000"
"""dB; noise that is not zero has less."""


@dataclass(frozen=True)
class Alternative:
    """A plan of the front, or the plan that was made.

    Attributes:
        fp32: the layers in fp32 that may be either, sorted by name.
        int16: the layers with activations in int16, sorted by name.
        noise: predicted noise-to-signal power at the worst part of the output.
        time: predicted, of one inference, in the unit of the cost model.
        size: of the constants, in bytes.
        chosen: whether it is the plan that was made.
        options: what chooses it, as arguments of `quantune quantize`; nothing where none do, and of the
            plan that was made.
    """

    fp32: tuple[str, ...]
    noise: float
    time: float
    size: float
    chosen: bool = False
    options: tuple[str, ...] = ()
    int16: tuple[str, ...] = ()

    @property
    def sqnr_db(self) -> float:
        """Predicted SQNR at the worst part of the output; +inf without noise."""
        return decibels(self.noise)


def alternatives(planned: Planned) -> list[Alternative]:
    """The plans of the front, quickest first, and the plan that was made; none where costs are not known."""
    problem = planned.problem
    if problem.costs.unit == "MACs":
        return []
    free = {layer.name for layer in problem.layers}
    made = [name for name, decision in planned.decisions.items() if not decision.precision.is_integer]
    cost = problem.costs.total({name: decision.precision for name, decision in planned.decisions.items()})
    noise = problem.noise_model.noise(planned.plan.integer_layers)
    wide = [name for name, decision in planned.decisions.items() if decision.precision.activations == INT16_ACTIVATIONS]
    chosen = Alternative(
        _sorted(free.intersection(made)),
        float(noise.max(initial=0.0)),
        cost.time,
        cost.size,
        True,
        int16=_sorted(free.intersection(wide)),
    )
    found = [
        Alternative(
            _sorted(layer.name for layer in point.fp32),
            point.noise,
            point.cost.time,
            point.cost.size,
            options=_options(point, problem.front[:place], free),
            int16=_sorted(name for name, format_ in point.moved.items() if format_.activations == INT16_ACTIVATIONS),
        )
        for place, point in enumerate(problem.front)
    ]
    others = [each for each in found if (each.fp32, each.int16) != (chosen.fp32, chosen.int16)]
    return sorted([*others, chosen], key=lambda each: (each.time, each.noise, each.size))


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _options(point: Point, quicker: Sequence[Point], free: Collection[str]) -> tuple[str, ...]:
    """The limits within which no quicker point is; nothing where these cannot be asked for."""
    moved = point.moved
    throughout = {moved.get(layer, INT8) for layer in free}
    if len(throughout) == 1:
        return "--all", str(throughout.pop())
    sqnr = decibels(point.noise)
    if sqnr < 0:
        return ()
    as_good = [each for each in quicker if each.noise <= point.noise]
    size = ("--max-size", f"{math.ceil(point.cost.size)}B") if as_good else ()
    rivals = [each.noise for each in quicker if not size or each.cost.size <= math.ceil(point.cost.size)]
    return ("--min-sqnr", _between(decibels(min(rivals, default=math.inf)), sqnr), *size)


def _between(below: float, sqnr: float) -> str:
    """The shortest number above `below` and not above `sqnr`, which is not negative."""
    if math.isinf(sqnr):
        return _BEYOND
    for decimals in range(_MOST_DECIMALS):
        rounded = math.floor(sqnr * 10**decimals) / 10**decimals
        if below < rounded <= sqnr:
            return f"{rounded:.{decimals}f}"
    return repr(sqnr)
