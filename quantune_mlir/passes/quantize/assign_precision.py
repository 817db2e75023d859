"""quantune-assign-precision.

In:  simplified fp32 TOSA, and a plan.
Out: the same, each op with `quantune.precision`: what the plan says of its layer, or, for ops that decide nothing and
     that the plan does not name, what their neighbours make of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.errors import PassError
from quantune_mlir.graph.network import Network
from quantune_mlir.mlir.attributes import PRECISION, string_attribute
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.signature import model_hash
from quantune_mlir.numerics.formats import NumberFormat, format_named
from quantune_mlir.passes.quantize.layer_graph import planned_layers
from quantune_mlir.pipeline.base import NetworkPass
from quantune_mlir.planning.plan import PrecisionPlan


@dataclass(frozen=True)
class AssignPrecision(NetworkPass):
    """Annotate every op with the precision that a plan gives its layer."""

    name: ClassVar[str] = "quantune-assign-precision"

    plan: PrecisionPlan

    preserves_network: ClassVar[bool] = True

    def apply_to(self, network: Network) -> None:
        self.plan.require_model(model_hash(network.module) or "")
        assign_precision(self.plan, network)


def assign_precision(plan: PrecisionPlan, network: Network) -> dict[ir.Value, NumberFormat]:
    """Annotates the ops of a network. Returns the format of each unit, by its output."""
    formats = planned_formats(plan, network)
    for unit in network.units:
        for op in unit.ops:
            op.attributes[PRECISION] = ir.StringAttr.get(formats[unit.output].name, op.context)
    return formats


def planned_formats(plan: PrecisionPlan, network: Network) -> dict[ir.Value, NumberFormat]:
    """The format of each unit under a plan, by its output."""
    plan = plan.fitted_to(planned_layers(network.layers, plan.precision_of()))
    return network.formats(plan.precision_of())


def annotated_formats(network: Network) -> dict[ir.Value, NumberFormat]:
    """The format of each unit, by its output, as `assign_precision` wrote it. Raises PassError if one has none."""
    found: dict[ir.Value, NumberFormat] = {}
    for unit in network.units:
        name = string_attribute(unit.op, PRECISION)
        if name is None:
            raise PassError(
                f"'{unit.op.name}' has no precision",
                where=unit.layer,
                remedy="run quantune-assign-qparams and quantune-assign-precision first",
            )
        found[unit.output] = format_named(name)
    return found
