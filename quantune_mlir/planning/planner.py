"""From a policy's decisions to a complete plan: what must be fp32, what the user keeps, and no needless boundaries."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from quantune_mlir.errors import PlanError
from quantune_mlir.planning.graph import LayerNode
from quantune_mlir.planning.plan import LayerPlan, Precision, PrecisionPlan
from quantune_mlir.planning.policies import Decision, Decisions, Policy
from quantune_mlir.planning.sensitivity import SensitivityList


def make_plan(
    sensitivity: SensitivityList,
    graph: Sequence[LayerNode],
    policy: Policy,
    *,
    policy_name: str,
    keep_fp32: str | None = None,
) -> PrecisionPlan:
    """The plan that `policy` makes of a sensitivity list.

    Args:
        sensitivity: every layer of the graph, the most sensitive first.
        graph: the layers in graph order.
        policy: decides on the layers that are quantizable and not kept.
        policy_name: the policy in words, for the file.
        keep_fp32: a regular expression; layers in whose name it is found stay fp32, whatever the policy.

    Raises:
        PlanError: list and graph differ, or `keep_fp32` is no regular expression or matches no layer.
    """
    names = [node.name for node in graph]
    if {layer.name for layer in sensitivity.layers} != set(names):
        raise PlanError("the sensitivity list is not of this model", remedy="analyze the model again")
    fixed: Decisions = {
        node.name: Decision(Precision.FP32, f"{node.op} has no int8 form") for node in graph if not node.quantizable
    }
    if keep_fp32 is not None:
        reason = f"matches --keep-fp32 {keep_fp32!r}"
        fixed |= {name: Decision(Precision.FP32, reason) for name in matching(names, keep_fp32)}
        policy_name = f"{policy_name}, keep_fp32 {keep_fp32!r}"
    free = [layer for layer in sensitivity.layers if layer.name not in fixed]
    decisions = without_needless_boundaries(fixed | policy(free, sensitivity.rounding_normalized_mse or 0.0), graph)
    layers = (LayerPlan(name=n.name, op=n.op, precision=d.precision, reason=d.reason) for n, d in decisions)
    return PrecisionPlan(format=1, model=sensitivity.model, policy=policy_name, layers=tuple(layers))


def without_needless_boundaries(decisions: Decisions, graph: Sequence[LayerNode]) -> list[tuple[LayerNode, Decision]]:
    """Move int8 layers without MACs to fp32 where int8 would only add a quantization: decisions in graph order.

    These are the layers all of whose inputs are fp32, and those between the graph's inputs and fp32 layers only.
    """
    decided = dict(decisions)

    def in_fp32(name: str) -> bool:
        return decided[name].precision is Precision.FP32

    def passive(node: LayerNode) -> bool:
        return not in_fp32(node.name) and node.macs == 0

    consumers: dict[str, list[str]] = {node.name: [] for node in graph}
    before_all_macs: set[str] = set()
    for node in graph:
        for name in node.inputs:
            consumers[name].append(node.name)
        if node.macs == 0 and before_all_macs.issuperset(node.inputs):
            before_all_macs.add(node.name)
        if passive(node) and node.inputs and all(map(in_fp32, node.inputs)):
            decided[node.name] = Decision(Precision.FP32, "all its inputs are fp32: int8 would only add a boundary")
    for node in reversed(graph):
        users = consumers[node.name]
        if passive(node) and node.name in before_all_macs and users and all(map(in_fp32, users)):
            decided[node.name] = Decision(Precision.FP32, "feeds fp32 layers only: int8 would only add a boundary")
    return [(node, decided[node.name]) for node in graph]


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
