"""Whether predictions are too dark: a plan that gives up much of what int8 saves is not believed unmeasured.

In a network that int8 throughout ruins, its chords are too steep (docs/definitions.md, "Projection"), and every layer
seems to bring too much noise. One plan that keeps most of the time tells by how much: it is measured, and at each part
of the output where it has less than was foreseen, all noise is taken for so much smaller.
"""

from __future__ import annotations

from typing import Final

from quantune_mlir.planning.decisions import Decisions, decided
from quantune_mlir.planning.front import Problem
from quantune_mlir.planning.policies import with_fp32_ends

DEAR: Final = 0.5
"""The share of the time that int8 saves which a plan may give up without being doubted."""
PROBED: Final = 0.25
"""That which the plan gives up that is measured then, at most."""


def is_dear(problem: Problem, decisions: Decisions) -> bool:
    """Whether decisions give up much of the time that int8 saves."""
    time = problem.costs.total({name: decision.precision for name, decision in decisions.items()}).time
    return time > _after_giving_up(problem, DEAR)


def probe(problem: Problem) -> Decisions:
    """The least noisy plan of the front that keeps most of the time that int8 saves."""
    most = _after_giving_up(problem, PROBED)
    quick = [point for point in problem.front if point.cost.time <= most]
    point = min(quick, key=lambda point: point.noise, default=problem.front[0])
    return decided(problem, with_fp32_ends(problem, point))


def _after_giving_up(problem: Problem, share: float) -> float:
    return problem.start.time + share * (problem.end.time - problem.start.time)
