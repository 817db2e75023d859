"""The precision plan: which layer computes in which number format. A YAML file that a person can edit."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, PlainSerializer

from quantune_mlir.errors import DataError, PlanError
from quantune_mlir.files import yaml_file
from quantune_mlir.numerics.formats import FP32, INT8, NumberFormat, format_named
from quantune_mlir.planning.graph import LayerNode

_LISTED = 10


def _named(value: object) -> object:
    try:
        return format_named(value) if isinstance(value, str) else value
    except DataError as error:
        raise ValueError(f"{error.what}; {error.remedy}") from error


Precision = Annotated[InstanceOf[NumberFormat], BeforeValidator(_named), PlainSerializer(str)]
"""A number format; in files, its name."""


class LayerPlan(BaseModel):
    """One layer's precision, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    name: str
    op: str = ""
    precision: Precision
    reason: str = ""


class PrecisionPlan(BaseModel):
    """Layers and their precision, in graph order.

    Attributes:
        model: hash of the model the plan was made for; empty fits any.
        policy: how the plan was made, in words.
        default: precision of the layers that are not listed; None if all must be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    format: Literal[1]
    model: str = ""
    policy: str = ""
    default: Precision | None = None
    layers: tuple[LayerPlan, ...] = Field(default=())

    def to_yaml(self) -> str:
        """The file's text: the same for the same plan."""
        content = self.model_dump(mode="json")
        if self.default is None:
            del content["default"]
        return yaml_file.dump(content)

    @staticmethod
    def from_yaml(text: str, where: str | None = None) -> PrecisionPlan:
        """Read a plan that `to_yaml` or a person wrote.

        Raises:
            PlanError: malformed YAML, a wrong format version or precision, a layer listed twice; with the line.
        """
        plan = yaml_file.parse(text, PrecisionPlan, error=PlanError, where=where, what="a precision plan of format 1")
        first: dict[str, int] = {}
        for position, layer in enumerate(plan.layers):
            if layer.name in first:
                lines = [yaml_file.line_of(text, "layers", i) for i in (first[layer.name], position)]
                raise PlanError(
                    f"layer {layer.name!r} is listed twice, in lines {lines[0]} and {lines[1]}",
                    where=where,
                    remedy="keep one of the two",
                )
            first[layer.name] = position
        return plan

    @staticmethod
    def load(path: Path | str) -> PrecisionPlan:
        """Read a plan from a file; raises PlanError as `from_yaml`, and if the file cannot be read."""
        return PrecisionPlan.from_yaml(yaml_file.read(path, error=PlanError), where=str(path))

    def fitted_to(self, graph: Sequence[LayerNode], model: str = "", where: str | None = None) -> PrecisionPlan:
        """The plan with exactly the layers of a network, in graph order; missing ones filled in from `default`.

        Args:
            graph: the network's layers, in graph order.
            model: hash of the network; not compared if it or the plan's is empty.
            where: the plan's file, for errors.

        Raises:
            PlanError: the plan is of another model, names a layer that the network does not have, lacks one although
                there is no `default`, or wants int8 of a layer that has no int8 form.
        """
        self.require_model(model, where)
        self.refuse_unknown([node.name for node in graph], where)
        listed = {layer.name: layer for layer in self.layers}
        missing = [node.name for node in graph if node.name not in listed]
        if missing and self.default is None:
            raise PlanError(
                f"the plan lacks {_some(missing)}", where=where, remedy="add them, or add `default: int8` at the top"
            )
        impossible = [
            node
            for node in graph
            if not node.quantizable and node.name in listed and listed[node.name].precision.is_integer
        ]
        if impossible:
            raise PlanError(
                f"no int8 form exists of {_some([node.name for node in impossible])}: {impossible[0].without_int8}",
                where=where,
                remedy="set `precision: fp32`",
            )
        layers = tuple(self._planned(node, listed.get(node.name)) for node in graph)
        return self.model_copy(update={"layers": layers, "default": None})

    def require_model(self, model: str, where: str | None = None) -> None:
        """Raise PlanError if the plan is of another model than the one with this hash; an empty hash is any's."""
        if model and self.model and model != self.model:
            raise PlanError(
                f"the plan was made for another model ({self.model[:12]}, this is {model[:12]})",
                where=where,
                remedy="make a new plan, or delete the line `model:` to use it all the same",
            )

    def precision_of(self) -> dict[str, NumberFormat]:
        """Precision by layer name."""
        return {layer.name: layer.precision for layer in self.layers}

    @property
    def integer_layers(self) -> dict[str, NumberFormat]:
        """The listed layers that compute in integers."""
        return {layer.name: layer.precision for layer in self.layers if layer.precision.is_integer}

    def _planned(self, node: LayerNode, layer: LayerPlan | None) -> LayerPlan:
        if layer is not None:
            return layer.model_copy(update={"op": node.op})
        precision = self.default if self.default is not None and node.quantizable else FP32
        return LayerPlan(name=node.name, op=node.op, precision=precision, reason="not listed in the plan: its default")

    def refuse_unknown(self, names: Collection[str], where: str | None = None) -> None:
        """Raises PlanError, with the nearest name, if a layer is listed that is not among `names`."""
        unknown = [layer.name for layer in self.layers if layer.name not in names]
        if unknown:
            nearest = difflib.get_close_matches(unknown[0], names, n=1, cutoff=0.0)
            raise PlanError(
                f"the model has no {_some(unknown)}",
                where=where,
                remedy=f"did you mean {nearest[0]!r} by {unknown[0]!r}?" if nearest else None,
            )


ALL_INT8: Final = PrecisionPlan(format=1, policy="all int8", default=INT8)
"""Every layer in int8 that can be, of any model."""


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_LISTED]))
    rest = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"layer{'s' if len(names) > 1 else ''} {shown}{rest}"
