"""From a policy's decisions to a complete plan: what must be fp32, what the user keeps, and no needless boundaries."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from quantune_mlir.errors import PlanError
from quantune_mlir.numerics.formats import FP32, INT8, NumberFormat
from quantune_mlir.planning.correction import MOST, MOST_HOPED, TRUSTED, brightened, corrected
from quantune_mlir.planning.costs import CostModel, Ledger
from quantune_mlir.planning.decisions import Decision, Decisions, Ground
from quantune_mlir.planning.front import Problem
from quantune_mlir.planning.graph import LayerNode, tail_of
from quantune_mlir.planning.metric import DEFAULT_METRIC
from quantune_mlir.planning.noise_model import NoiseModel, Powers
from quantune_mlir.planning.plan import LayerPlan, PrecisionPlan
from quantune_mlir.planning.policies import Policy
from quantune_mlir.planning.reasons import reason
from quantune_mlir.planning.sensitivity import SensitivityList


@dataclass(frozen=True)
class PredictedNoise:
    """Noise-to-signal power at a layer that makes a part of the output: of int8 throughout, and of a plan."""

    layer: str
    int8: float
    mixed: float


@dataclass(frozen=True)
class Planned:
    """A plan, and what it rests on.

    Attributes:
        plan: as the file says it.
        decisions: by layer that the plan lists, in graph order.
        problem: what there was to decide; its noise model and costs are what was known by then.
    """

    plan: PrecisionPlan
    decisions: Decisions
    problem: Problem

    @property
    def time(self) -> float:
        """Of one inference, in the unit of the cost model."""
        formats = {name: decision.precision for name, decision in self.decisions.items()}
        return self.problem.costs.total(formats).time

    @property
    def noise(self) -> list[PredictedNoise]:
        """What is predicted at each part of the output."""
        mixed = self.problem.noise_model.noise(self.plan.integer_layers).tolist()
        int8 = self.problem.noise_model.noise({layer.name: INT8 for layer in self.problem.layers}).tolist()
        return list(map(PredictedNoise, self.problem.noise_model.parts, int8, mixed))


class Planner:
    """Makes the plans of one network."""

    def __init__(
        self,
        sensitivity: SensitivityList,
        graph: Sequence[LayerNode],
        costs: CostModel | None = None,
        *,
        keep_fp32: str | None = None,
        formats: tuple[NumberFormat, ...] = (INT8, FP32),
    ) -> None:
        """What there is to decide.

        Args:
            sensitivity: every layer of the graph, the most sensitive first. Sorted by another metric than the default
                one, its order is the only one in which layers become fp32.
            graph: the layers in graph order.
            costs: of each format; None: as multiply-accumulates tell, of int8 and fp32.
            keep_fp32: a regular expression; layers in whose name it is found stay fp32, whatever the policy.
            formats: what layers may be in, from the coarsest to the finest.

        Raises:
            PlanError: list and graph differ, or `keep_fp32` is no regular expression or matches no layer.
        """
        names = [node.name for node in graph]
        if {layer.name for layer in sensitivity.layers} != set(names):
            raise PlanError("the sensitivity list is not of this model", remedy="analyze the model again")
        self._graph = graph
        self._model = sensitivity.model
        self._floats = FP32 in formats
        self._suffix = ""
        self._fixed = {
            node.name: Decision(FP32, Ground.WITHOUT_INT8, node.without_int8) for node in graph if not node.quantizable
        }
        if keep_fp32 is not None:
            kept = Decision(FP32, Ground.KEPT, keep_fp32)
            self._fixed |= dict.fromkeys(matching(names, keep_fp32), kept)
            self._suffix = f", keep_fp32 {keep_fp32!r}"
        self.problem = Problem(
            [layer for layer in sensitivity.layers if layer.name not in self._fixed],
            NoiseModel.of(sensitivity),
            costs
            or CostModel.by_macs({node.name: node.macs for node in graph if node.quantizable}, (INT8, *formats, FP32)),
            kept=list(self._fixed),
            in_order=sensitivity.metric is not DEFAULT_METRIC,
            formats=formats,
            tail=tail_of(graph, {node.name for node in graph if node.name not in self._fixed}),
        )

    def learn(self, plan: PrecisionPlan, grown: Mapping[str, Powers], measured: Powers, most: float = MOST) -> None:
        """Correct the noise model by a plan that was measured, see correction.py."""
        noise_model = corrected(self.problem.noise_model, plan.integer_layers, grown, measured, most)
        self.problem = replace(self.problem, noise_model=noise_model)

    def brighten(
        self, plan: PrecisionPlan, measured: Powers, trusted: float = TRUSTED, most: float = MOST_HOPED
    ) -> bool:
        """Correct the noise model by a plan that was measured to have less noise; whether it does."""
        noise_model = brightened(self.problem.noise_model, plan.integer_layers, measured, trusted, most)
        before, after = (model.noise(plan.integer_layers) for model in (self.problem.noise_model, noise_model))
        self.problem = replace(self.problem, noise_model=noise_model)
        return bool((after < before).any())

    def plan(self, policy: Policy, policy_name: str) -> Planned:
        """The plan that a policy makes; its name, in words, is for the file. Raises PlanError as the policy does."""
        wanted = self._fixed | dict(policy(self.problem))
        decisions = without_needless_boundaries(wanted, self._graph, self.problem.costs) if self._floats else wanted
        layers = (
            LayerPlan(
                name=node.name,
                op=node.op,
                precision=decisions[node.name].precision,
                reason=reason(decisions[node.name], self.problem),
            )
            for node in self._graph
        )
        name = policy_name + self._suffix
        plan = PrecisionPlan(format=1, model=self._model, policy=name, layers=tuple(layers))
        return Planned(plan, decisions, self.problem)

    def given(self, plan: PrecisionPlan) -> Planned:
        """A ready plan."""
        decisions = {layer.name: Decision(layer.precision, Ground.GIVEN, layer.reason) for layer in plan.layers}
        return Planned(plan, decisions, self.problem)


def without_needless_boundaries(decisions: Decisions, graph: Sequence[LayerNode], costs: CostModel) -> Decisions:
    """Move int8 layers without MACs to fp32 where int8 would only add a quantization, and saves no time.

    These are the layers all of whose inputs are fp32, and those between the graph's inputs and fp32 layers only.
    """
    decided = dict(decisions)
    ledger = Ledger(costs)
    for name, decision in decisions.items():
        ledger.move(name, decision.precision)

    def in_fp32(name: str) -> bool:
        return not decided[name].precision.is_integer

    def passive(node: LayerNode) -> bool:
        if in_fp32(node.name) or node.macs:
            return False
        return node.name not in costs.layers or ledger.price(node.name).time <= 0

    def to_fp32(name: str, ground: Ground) -> None:
        decided[name] = replace(decided[name], precision=FP32, ground=ground, named="")
        ledger.move(name)

    consumers: dict[str, list[str]] = {node.name: [] for node in graph}
    before_all_macs: set[str] = set()
    for node in graph:
        for name in node.inputs:
            consumers[name].append(node.name)
        if node.macs == 0 and before_all_macs.issuperset(node.inputs):
            before_all_macs.add(node.name)
        if passive(node) and node.inputs and all(map(in_fp32, node.inputs)):
            to_fp32(node.name, Ground.INPUTS)
    for node in reversed(graph):
        users = consumers[node.name]
        if passive(node) and node.name in before_all_macs and users and all(map(in_fp32, users)):
            to_fp32(node.name, Ground.READERS)
    return {node.name: decided[node.name] for node in graph}


def matching(names: Sequence[str], expression: str) -> list[str]:
    """The names in which a regular expression is found.

    Raises:
        PlanError: it is none, or is found in no name; with the nearest names.
    """
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise PlanError(
            f"--keep-fp32 {expression!r} is no regular expression: {error}",
            remedy="escape ( ) [ ] * + ? . with a backslash",
        ) from error
    found = [name for name in names if pattern.search(name)]
    if not found:
        nearest = difflib.get_close_matches(expression, names, n=5, cutoff=0.0)
        raise PlanError(
            f"--keep-fp32 {expression!r} matches no layer",
            remedy=f"the nearest names are {', '.join(map(repr, nearest))}" if nearest else None,
        )
    return found
