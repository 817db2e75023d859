"""Which policy makes the plan, as chosen by options of the command line or arguments in Python."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from quantune_mlir.errors import DataError, PlanError
from quantune_mlir.hardware.targets import Target
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8, INT16, INT16X16, NumberFormat, fineness, format_named
from quantune_mlir.passes.quantize.layer_graph import planned_layers
from quantune_mlir.planning import policies
from quantune_mlir.planning.budget import Budget, Limit
from quantune_mlir.planning.costs import CostModel
from quantune_mlir.planning.metric import DEFAULT_METRIC, Metric
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planned, Planner, matching
from quantune_mlir.planning.sensitivity import LayerSensitivity, SensitivityList

DEFAULT_FORMATS: Final = (INT8.name, FP32.name)
INTEGER_FORMATS: Final = (INT8.name, INT16.name, INT16X16.name)


@dataclass(frozen=True)
class PlanPolicy:
    """One of `everything`, `fp32_layers`, `max_drop`, or limits, which combine; none of them: the default policy.

    Attributes:
        everything: one precision throughout.
        fp32_layers: so many of the most sensitive layers stay fp32.
        min_sqnr_db: the predicted SQNR at the output is at least this.
        max_latency: the time of one inference is at most this: `5ms`, or `0.5x` of that of fp32.
        max_size: the constants take at most this: `300KB`, or `0.5x` of those of fp32.
        max_drop: at most so many percent of the samples are lost against fp32, see `search`.
        keep_fp32: a regular expression; layers in whose name it is found stay fp32 under any policy.
        metric: what the layers are sorted by; with another than the default one, in no other order they become fp32.
        costs: where times come from; None: measured if seconds are limited, else modelled.
        formats: names of what layers may be in, the coarsest first.
    """

    everything: Literal["int8", "int16", "int16x16", "fp32"] | None = None
    fp32_layers: int | None = None
    min_sqnr_db: float | None = None
    keep_fp32: str | None = None
    max_latency: str | None = None
    max_size: str | None = None
    max_drop: float | None = None
    metric: Metric = DEFAULT_METRIC
    costs: Literal["model", "measured"] | None = None
    formats: tuple[str, ...] = DEFAULT_FORMATS

    def __post_init__(self) -> None:
        chosen = (self.everything, self.fp32_layers, self.max_drop, self.is_limited or None)
        if sum(option is not None for option in chosen) > 1:
            raise PlanError(
                "more than one policy is given",
                remedy="choose one of --all, --fp32-layers, --max-drop, or limits: "
                "--min-sqnr, --max-latency, --max-size",
            )
        self._check_formats()
        if self.min_sqnr_db is not None and not self.min_sqnr_db >= 0:
            raise PlanError(
                f"an output SQNR of {self.min_sqnr_db} dB cannot be asked for",
                where="--min-sqnr",
                remedy="20 dB are little, 40 dB are much",
            )
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise PlanError(
                f"a drop of {self.max_drop:g} points cannot be asked for", where="--max-drop", remedy="0 to 100"
            )

    def in_integers(self) -> PlanPolicy:
        """The same without fp32; formats that were not chosen are all that are integers.

        Raises:
            PlanError: it asks for fp32.
        """
        formats = INTEGER_FORMATS if self.formats == DEFAULT_FORMATS else self.formats
        asked = {"--all": self.everything, "--keep-fp32": self.keep_fp32, "--fp32-layers": self.fp32_layers}
        fp32 = [name for name, value in asked.items() if value not in (None, *INTEGER_FORMATS)]
        if fp32 or FP32.name in formats:
            raise PlanError(
                "asks for fp32, where everything is to be integers",
                where=fp32[0] if fp32 else "--formats",
                remedy="leave it out, or give --no-integer-only",
            )
        return replace(self, formats=formats)

    def _check_formats(self) -> None:
        try:
            known = [format_named(name) for name in self.formats]
        except DataError as error:
            raise PlanError(error.what, where="--formats", remedy=error.remedy) from error
        if len(set(known)) != len(known) or known != sorted(known, key=fineness) or not known:
            raise PlanError(
                f"{','.join(self.formats)} are not different formats from the coarsest to the finest",
                where="--formats",
                remedy="int8,int16,int16x16,fp32 are all; leave out what is not to be used",
            )
        if len(known) < 2 and self.everything is None:
            raise PlanError("one format leaves nothing to decide", where="--formats", remedy="ask for --all FORMAT")

    @property
    def known_formats(self) -> tuple[NumberFormat, ...]:
        """What layers may be in; with one precision throughout, that and fp32."""
        if self.everything is not None:
            return tuple(dict.fromkeys((format_named(self.everything), FP32)))
        return tuple(map(format_named, self.formats))

    @cached_property
    def budget(self) -> Budget:
        """The limits. Raises PlanError if one cannot be read, as the policy itself does when it is made."""
        time = None if self.max_latency is None else Limit.of_time(self.max_latency)
        size = None if self.max_size is None else Limit.of_size(self.max_size)
        return Budget(self.min_sqnr_db, time, size)

    @property
    def is_limited(self) -> bool:
        """Whether the plan is to keep to limits."""
        return self.budget != Budget()

    @property
    def arguments(self) -> tuple[str, ...]:
        """The policy as arguments of `quantune quantize`."""
        options = {
            "--all": self.everything,
            "--fp32-layers": self.fp32_layers,
            "--min-sqnr": None if self.min_sqnr_db is None else f"{self.min_sqnr_db:g}",
            "--max-latency": self.max_latency,
            "--max-size": self.max_size,
            "--max-drop": None if self.max_drop is None else f"{self.max_drop:g}",
        }
        given = (part for name, value in options.items() if value is not None for part in (name, str(value)))
        return *given, *self.circumstances

    @property
    def circumstances(self) -> tuple[str, ...]:
        """What of these does not choose a point of the front, but is the same for all."""
        options = {
            "--keep-fp32": self.keep_fp32,
            "--metric": None if self.metric is DEFAULT_METRIC else self.metric.value,
            "--costs": "measured" if self.measures else self.costs,
            "--formats": None if self.formats == DEFAULT_FORMATS else ",".join(self.formats),
        }
        return tuple(part for name, value in options.items() if value is not None for part in (name, value))

    @property
    def measures(self) -> bool:
        """Whether times are measured."""
        in_seconds = self.budget.max_time is not None and not self.budget.max_time.relative
        return self.costs == "measured" or (self.costs is None and in_seconds)

    @property
    def weighs_costs(self) -> bool:
        """Whether the plan depends on what layers cost."""
        return self.everything is None and self.fp32_layers is None

    @property
    def floor_db(self) -> float | None:
        """The SQNR that each part of the output is to have when it is measured; None if whatever it has will do."""
        if self.budget.max_time is not None or self.budget.max_size is not None:
            return None
        if self.min_sqnr_db is not None:
            return self.min_sqnr_db
        return policies.FLOOR_DB if self.is_default else None

    @property
    def is_default(self) -> bool:
        """Whether nothing is asked for that the default policy does not do."""
        return self == PlanPolicy(keep_fp32=self.keep_fp32, costs=self.costs, formats=self.formats)

    def check(self, model: Model, target: Target) -> None:
        """Raises already the PlanError that `plan` would raise after the runs, whatever they find."""
        if self.measures and target.cpu != "host":
            raise PlanError(
                f"the kernels of {target.name} cannot be measured on this machine",
                where="--costs measured" if self.costs else f"--max-latency {self.max_latency}",
                remedy="leave it out" if self.costs else "give the limit relative to fp32, as 0.5x",
            )
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
        planner = self.planner(SensitivityList.of(blank, model=model.hash, samples=0), model)
        if not self.is_limited and self.max_drop is None:
            self.decide(planner)

    def planner(self, sensitivity: SensitivityList, model: Model, costs: CostModel | None = None) -> Planner:
        """What makes plans of a model. Raises PlanError if `keep_fp32` does not fit it."""
        names = [layer.name for layer in model.layers]
        graph = planned_layers(model.layers, matching(names, self.keep_fp32) if self.keep_fp32 is not None else ())
        planned = {node.name for node in graph}
        listed = tuple(layer for layer in sensitivity.layers if layer.name in planned)
        sensitivity = sensitivity.model_copy(update={"layers": listed})
        return Planner(sensitivity, graph, costs, keep_fp32=self.keep_fp32, formats=self.known_formats)

    def plan(self, sensitivity: SensitivityList, model: Model, costs: CostModel | None = None) -> PrecisionPlan:
        """The plan of this policy for a model. Raises PlanError if it cannot be met."""
        return self.decide(self.planner(sensitivity, model, costs)).plan

    def decide(self, planner: Planner) -> Planned:
        """The plan of this policy by what a planner knows by now. Raises PlanError if it cannot be met."""
        return planner.plan(*self._policy())

    def int8_throughout(self, planner: Planner) -> Planned:
        """What the default policy comes to where no layer is worth anything in fp32."""
        return planner.plan(policies.least_fp32, self._named("default"))

    def _policy(self) -> tuple[policies.Policy, str]:
        if self.everything is not None:
            throughout = policies.all_fp32 if self.everything == "fp32" else policies.all_int8
            return throughout, f"all {self.everything}"
        if self.fp32_layers is not None:
            return policies.fp32_layers(self.fp32_layers), self._named(f"fp32_layers {self.fp32_layers}")
        if self.is_limited:
            return policies.within(self.budget), self._named(str(self.budget))
        return policies.default, self._named("default")

    def _named(self, name: str) -> str:
        return name if self.metric is DEFAULT_METRIC else f"{name}, by {self.metric}"


DEFAULT_POLICY: Final = PlanPolicy()


def load_plan(path: Path, model: Model) -> PrecisionPlan:
    """The plan in a file, with exactly the layers of a model. Raises PlanError, naming the file, if it does not fit."""
    plan = PrecisionPlan.load(path)
    plan.refuse_unknown([layer.name for layer in model.layers], where=str(path))
    return plan.fitted_to(planned_layers(model.layers, plan.precision_of()), model.hash, where=str(path))
