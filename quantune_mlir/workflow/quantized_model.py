"""A quantized model, and all that is to be told of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.alternatives import Alternative, alternatives
from quantune_mlir.planning.costs import CostModel
from quantune_mlir.planning.decisions import Decisions
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planned, PredictedNoise
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.workflow.inference_runs import InferenceRuns
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import DEFAULT_POLICY, PlanPolicy
from quantune_mlir.workflow.records import LayerRecord, layer_records
from quantune_mlir.workflow.rewriting import Rewrite
from quantune_mlir.workflow.search import Trial
from quantune_mlir.workflow.verification import Verification, Verified


@dataclass(frozen=True)
class QuantizedModel:
    """A quantized model and how it came about.

    Attributes:
        model: in fp32, simplified.
        options: how it was quantized.
        profile: of run 1.
        sensitivity: of run 2.
        planned: the plan, the decisions that make it, and what they rest on.
        mixed: the network as planned.
        parameters: of int8, by tensor.
        runs: how often the samples were run.
        seconds: by stage.
        trials: the plans that were run to find one that loses little.
        verification: the noise of the outputs, predicted and measured; None if it was not asked for.
        verified: the program that was measured.
        policy: how the plan was made, as arguments of `quantune quantize`.
        integers: with `integer_only`, the network as planned, without any floating-point number.
    """

    model: Model
    options: QuantizeOptions
    profile: Profile
    sensitivity: SensitivityList
    planned: Planned
    mixed: Rewrite
    parameters: dict[str, QuantParams]
    runs: InferenceRuns
    seconds: dict[str, float]
    trials: tuple[Trial, ...] = ()
    verification: Verification | None = None
    verified: Verified | None = None
    policy: PlanPolicy = DEFAULT_POLICY
    integers: ir.Module | None = None

    @property
    def plan(self) -> PrecisionPlan:
        """The precision of each layer."""
        return self.planned.plan

    @property
    def decisions(self) -> Decisions:
        """By layer that the plan lists: its precision, why, and the numbers that this rests on."""
        return self.planned.decisions

    @property
    def costs(self) -> CostModel | None:
        """What each precision of each layer costs; None where the policy weighs no costs."""
        costs = self.planned.problem.costs
        return None if costs.unit == "MACs" else costs

    @cached_property
    def front(self) -> list[Alternative]:
        """The plans worth having, quickest first, and this one; none where the policy weighs no costs."""
        return alternatives(self.planned)

    @property
    def predicted(self) -> list[PredictedNoise]:
        """The noise that is predicted at each part of the outputs; `verification` has what was measured."""
        return self.planned.noise

    @cached_property
    def records(self) -> list[LayerRecord]:
        """All layers, in graph order: format, decision, boundaries, weights."""
        return list(layer_records(self.model, self.mixed.precision, self.decisions))
