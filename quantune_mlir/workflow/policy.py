"""Which policy makes the plan, as chosen by options of the command line or arguments in Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from quantune_mlir.errors import PlanError
from quantune_mlir.passes.layer_graph import planned_layers
from quantune_mlir.planning import policies
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import make_plan, matching
from quantune_mlir.planning.sensitivity import LayerSensitivity, SensitivityList
from quantune_mlir.workflow.model import Model


@dataclass(frozen=True)
class PlanPolicy:
    """At most one of the first three; none of them: the default policy.

    Attributes:
        everything: one precision throughout.
        fp32_layers: so many of the most sensitive layers stay fp32.
        min_sqnr_db: as few layers stay fp32 as reach this predicted SQNR at the output.
        keep_fp32: a regular expression; layers in whose name it is found stay fp32 under any policy.
    """

    everything: Literal["int8", "fp32"] | None = None
    fp32_layers: int | None = None
    min_sqnr_db: float | None = None
    keep_fp32: str | None = None

    def __post_init__(self) -> None:
        if sum(option is not None for option in (self.everything, self.fp32_layers, self.min_sqnr_db)) > 1:
            raise PlanError("more than one policy is given", remedy="choose one of --all, --fp32-layers, --min-sqnr")
        if self.min_sqnr_db is not None and not self.min_sqnr_db >= 0:
            raise PlanError(
                f"an output SQNR of {self.min_sqnr_db} dB cannot be asked for",
                where="--min-sqnr",
                remedy="20 dB are little, 40 dB are much",
            )

    def check(self, model: Model) -> None:
        """Raises already the PlanError that `plan` would raise after the runs, whatever they find."""
        blank = (
            LayerSensitivity(
                name=layer.name,
                op=layer.op_type,
                index=index,
                quantizable=layer.quantizable,
                macs=layer.macs,
                weight_bytes=0,
                elements=0,
            )
            for index, layer in enumerate(model.layers)
        )
        self.plan(SensitivityList.of(blank, model=model.hash, samples=0), model)

    def plan(self, sensitivity: SensitivityList, model: Model) -> PrecisionPlan:
        """The plan of this policy for a model. Raises PlanError if it cannot be met."""
        names = [layer.name for layer in model.layers]
        graph = planned_layers(model.layers, matching(names, self.keep_fp32) if self.keep_fp32 is not None else ())
        planned = {node.name for node in graph}
        listed = tuple(layer for layer in sensitivity.layers if layer.name in planned)
        name, policy = self._policy()
        return make_plan(
            sensitivity.model_copy(update={"layers": listed}),
            graph,
            policy,
            policy_name=name,
            keep_fp32=self.keep_fp32,
        )

    def _policy(self) -> tuple[str, policies.Policy]:
        if self.everything is not None:
            return f"all {self.everything}", {"int8": policies.all_int8, "fp32": policies.all_fp32}[self.everything]
        if self.fp32_layers is not None:
            return f"fp32_layers {self.fp32_layers}", policies.fp32_layers(self.fp32_layers)
        if self.min_sqnr_db is not None:
            return f"min_sqnr {self.min_sqnr_db:g} dB", policies.min_sqnr(self.min_sqnr_db)
        return "default", policies.default


DEFAULT_POLICY: Final = PlanPolicy()


def load_plan(path: Path, model: Model) -> PrecisionPlan:
    """The plan in a file, with exactly the layers of a model. Raises PlanError, naming the file, if it does not fit."""
    plan = PrecisionPlan.load(path)
    plan.refuse_unknown([layer.name for layer in model.layers], where=str(path))
    return plan.fitted_to(planned_layers(model.layers, plan.precision_of()), model.hash, where=str(path))
