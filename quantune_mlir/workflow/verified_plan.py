"""A plan that holds what its policy asks for: predicted, measured, and made again where the two disagree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.numerics.parts import LEAST_DB, PartNoise
from quantune_mlir.planning.correction import BLAMED, doubtful
from quantune_mlir.planning.noise_model import WORST, NoiseModel, Powers
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planned, Planner
from quantune_mlir.planning.policies import FLOOR_DB
from quantune_mlir.planning.probe import is_dear, probe
from quantune_mlir.workflow.rewriting import PlanRewriter, Rewrite
from quantune_mlir.workflow.verification import Verified, VerifiedPart, Verifier

MOST_REPAIRS: Final = 3
"""How often a plan is made again at most."""

_LOST_DB: Final = 0.5
"""By so much a part may have less than int8 throughout: twice as much is seen on other samples."""

_SLACK_DB: Final = 0.5
"""By so much a part may be below the floor: measured over a few samples, it is off by as much."""

_AMPLE_DB: Final = 0.5
"""By so much more than was asked for a plan may have without being made again."""

_QUICKER: Final = 0.02
"""By so much of its time a plan that is taken in its stead has to be quicker."""

_TIGHT: Final = 10**0.1
"""So many times as much noise as was measured may be predicted where a plan is doubted."""


@dataclass(frozen=True)
class VerifiedPlan:
    """A plan, its mixed module and what was measured of it.

    Attributes:
        planned: which.
        mixed: as it was rewritten.
        verified: its program and the noise of each part of the model.
        parts: the same beside what was predicted.
    """

    planned: Planned
    mixed: Rewrite
    verified: Verified
    parts: tuple[VerifiedPart, ...]

    @property
    def plan(self) -> PrecisionPlan:
        """The plan alone."""
        return self.planned.plan

    @property
    def worst_db(self) -> float:
        """The SQNR of the worst part, as far as it counts."""
        return min((decibels(each.counting) for each in self.parts if each.noise.part.is_judged), default=math.inf)

    @property
    def parts_db(self) -> list[float]:
        """The SQNR of each part that is judged."""
        return [part.noise.sqnr_db for part in self.parts if part.noise.part.is_judged]


class PlanVerifier:
    """Measures plans of one model, and knows which predictions are of which parts of its outputs."""

    def __init__(
        self, model: Model, rewriter: PlanRewriter, verifier: Verifier, parts: Sequence[str], *, unseen: bool = False
    ) -> None:
        """What plans are measured by.

        Args:
            model: whose plans they are.
            rewriter: of it.
            verifier: compiles and runs.
            parts: the layers that noise is predicted at, in the order of the noise model.
            unseen: whether noise counts that other samples may have, or that of those measured only.
        """
        self._rewriter = rewriter
        self._verifier = verifier
        self._predicted_at = _predicted_at(model, parts)
        self._unseen = unseen

    def __call__(self, planned: Planned, noise: NoiseModel) -> VerifiedPlan:
        """Rewrite, compile and measure a plan, beside what a noise model says of it."""
        mixed = self._rewriter.rewrite(planned.plan)
        verified = self._verifier(mixed.module)
        predicted = noise.noise(planned.plan.integer_layers)
        parts = (
            VerifiedPart(
                measured,
                decibels(float(predicted[at].max())) if at else None,
                beyond_samples(measured) if self._unseen else 1.0,
            )
            for measured, at in zip(verified.noise, self._predicted_at, strict=True)
        )
        return VerifiedPlan(planned, mixed, verified, tuple(parts))

    def measured(self, found: VerifiedPlan, noise: NoiseModel) -> Powers:
        """The noise-to-signal power that counts at each part of a noise model; NaN where nothing measured tells it.

        How many classes are told otherwise is no such power, nor is what another order makes.
        """
        powers = np.full(len(noise.parts), math.nan)
        for part, at in zip(found.parts, self._predicted_at, strict=True):
            if part.noise.part.is_judged and part.noise.part.reading != "classes":
                powers[at] = np.fmax(powers[at], min(part.counting, WORST))
        return powers


def beyond_samples(noise: PartNoise) -> float:
    """How many times the noise that was measured other samples may have, beyond what FLOOR_DB allows for that."""
    if not 0 < noise.normalized_mse < math.inf:
        return 1.0
    return max(1.0, noise.likely_mse / noise.normalized_mse / 10 ** ((FLOOR_DB - LEAST_DB) / 10))


def verified_plan(
    first: Planned,
    planner: Planner,
    make: Callable[[Planner], Planned],
    verify: PlanVerifier,
    grow: Callable[[PrecisionPlan], Mapping[str, Powers]],
    floor_db: float | None,
    int8: Callable[[Planner], Planned] | None = None,
    *,
    tight: bool = False,
) -> VerifiedPlan:
    """Measure a plan, and where a part is below the floor, make another from what was measured.

    A plan that gives up much of what int8 saves is not believed before another one is measured, see planning/probe.py.
    Where a part has less than int8 throughout is thought to have there, that is measured, too, and takes the place of a
    plan that has less in truth, if it holds the floor or has no worse part.

    Args:
        first: the plan as it was predicted.
        planner: that made it.
        make: the policy.
        verify: measures plans.
        grow: measures what each layer of a plan brings, see planning/correction.py; called where it is in doubt.
        floor_db: what each part is to have; None: whatever it has.
        int8: makes the plan of int8 throughout; None: nothing is compared with it.
        tight: whether a plan that has far more than the floor, unforeseen, is made again from what was measured.

    Returns:
        The first plan that holds the floor, or else the best; if it is to be `tight`, the quickest that holds it.
    """
    model, foreseen = planner.problem.noise_model, planner.problem.noise_ledger().parts
    hopeful = first if floor_db is None else _probed(first, planner, make, verify)
    best = _held(hopeful, planner, make, verify, grow, floor_db)
    if hopeful is not first and floor_db is not None and best.worst_db < floor_db - _SLACK_DB:
        best = max(best, verify(first, model), key=lambda each: each.worst_db)
    if tight and floor_db is not None:
        best = _tightened(best, planner, make, verify, floor_db)
    measured = verify.measured(best, model)
    if int8 is None or not _lower(list(map(decibels, measured)), list(map(decibels, foreseen))):
        return best
    planned = int8(planner)
    if planned.plan.precision_of() == best.plan.precision_of():
        return best
    throughout = verify(planned, model)
    holds = throughout.worst_db >= min(best.worst_db, math.inf if floor_db is None else floor_db)
    return throughout if holds and _lower(best.parts_db, throughout.parts_db) else best


def _probed(first: Planned, planner: Planner, make: Callable[[Planner], Planned], verify: PlanVerifier) -> Planned:
    """The plan, or if it is dear and its predictions prove too dark, that which is made by better ones."""
    if not is_dear(planner.problem, first.decisions):
        return first
    probed = planner.plan(probe, first.plan.policy)
    model = planner.problem.noise_model
    measured = verify.measured(verify(probed, model), model)
    return make(planner) if planner.brighten(probed.plan, measured, _TIGHT) else first


def _tightened(
    held: VerifiedPlan, planner: Planner, make: Callable[[Planner], Planned], verify: PlanVerifier, floor_db: float
) -> VerifiedPlan:
    """The quickest plan that holds the floor of those made as long as there is less noise than was foreseen.

    One that does not hold it tells by how much hopes were too high. What is hardly quicker is not tried.
    """
    found, tried = held, [held.plan.precision_of()]
    for _ in range(MOST_REPAIRS):
        measured = verify.measured(found, planner.problem.noise_model)
        if found.worst_db < floor_db - _SLACK_DB:
            planner.learn(found.plan, {}, measured)
        elif found.worst_db < floor_db + _AMPLE_DB or not planner.brighten(found.plan, measured, 1.0, BLAMED):
            break
        planned = make(planner)
        if planned.plan.precision_of() == found.plan.precision_of():
            continue
        if planned.plan.precision_of() in tried or planned.time > (1 - _QUICKER) * held.planned.time:
            break
        found = verify(planned, planner.problem.noise_model)
        tried.append(planned.plan.precision_of())
        if found.worst_db >= floor_db - _SLACK_DB:
            held = found
    return held


def _held(
    first: Planned,
    planner: Planner,
    make: Callable[[Planner], Planned],
    verify: PlanVerifier,
    grow: Callable[[PrecisionPlan], Mapping[str, Powers]],
    floor_db: float | None,
) -> VerifiedPlan:
    """The first plan that holds the floor when it is measured, or else the best."""
    best = found = verify(first, planner.problem.noise_model)
    for _ in range(MOST_REPAIRS):
        if floor_db is None or found.worst_db >= floor_db - _SLACK_DB:
            return found
        model, measured = planner.problem.noise_model, verify.measured(found, planner.problem.noise_model)
        unforeseen = doubtful(model, found.plan.integer_layers, measured, BLAMED).any()
        planner.learn(found.plan, grow(found.plan) if unforeseen else {}, measured)
        planned = make(planner)
        if planned.plan.precision_of() == found.plan.precision_of():
            planner.learn(found.plan, {}, measured, math.inf)
            planned = make(planner)
        if planned.plan.precision_of() == found.plan.precision_of():
            break
        found = verify(planned, planner.problem.noise_model)
        best = max(best, found, key=lambda each: each.worst_db)
    return best


def _lower(mine: Sequence[float], others: Sequence[float]) -> bool:
    """Whether an SQNR is lower than its counterpart by more than it may be; those not known are not."""
    return any(a < b - _LOST_DB for a, b in zip(mine, others, strict=True))


def _predicted_at(model: Model, parts: Sequence[str]) -> list[list[int]]:
    """For each part of the model's outputs the predictions that it depends on, or else those that depend on it."""
    made_by: dict[ir.Value, str] = {layer.output: layer.name for layer in model.layers}
    places = {name: place for place, name in enumerate(parts)}
    outputs = {layer.name: layer.output for layer in model.layers if layer.name in places}
    found: list[list[int]] = []
    network = model.network
    for value in network.parts.values():
        before = (made_by[closing] for closing in network.closing_values_before(value))
        nearest = [places[name] for name in before if name in places]
        found.append(nearest or [places[name] for name, output in outputs.items() if value in network.sources(output)])
    return found
