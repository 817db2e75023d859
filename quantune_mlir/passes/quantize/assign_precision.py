"""quantune-assign-precision.

In:  simplified fp32 TOSA, and a plan.
Out: the same, each op with `quantune.precision`: what the plan says of its layer, or, for ops that decide nothing and
     that the plan does not name, what their neighbours make of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.graph.layers import Layer, find_layers
from quantune_mlir.graph.precision_propagation import precisions
from quantune_mlir.graph.tensors import Tensors, find_tensors
from quantune_mlir.graph.units import Unit, find_units
from quantune_mlir.mlir.attributes import PRECISION
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.signature import model_hash
from quantune_mlir.passes.quantize.layer_graph import planned_layers
from quantune_mlir.pipeline.base import Pass
from quantune_mlir.planning.plan import Precision, PrecisionPlan


@dataclass(frozen=True)
class AssignPrecision(Pass):
    """Annotate every op with the precision that a plan gives its layer."""

    name: ClassVar[str] = "quantune-assign-precision"

    plan: PrecisionPlan

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        units = find_units(entry_block(function))
        tensors = find_tensors(function, units)
        self.plan.require_model(model_hash(module) or "")
        assign_precision(self.plan, units, tensors, find_layers(units, tensors))


def assign_precision(
    plan: PrecisionPlan, units: Sequence[Unit], tensors: Tensors, layers: Sequence[Layer]
) -> dict[ir.Value, bool]:
    """Annotates the ops of a function's units. Returns whether each unit runs in int8, by its output."""
    in_int8 = planned_precisions(plan, units, tensors, layers)
    for unit in units:
        precision = Precision.INT8 if in_int8[unit.output] else Precision.FP32
        for op in unit.ops:
            op.attributes[PRECISION] = ir.StringAttr.get(precision.value, op.context)
    return in_int8


def planned_precisions(
    plan: PrecisionPlan, units: Sequence[Unit], tensors: Tensors, layers: Sequence[Layer]
) -> dict[ir.Value, bool]:
    """Whether each unit runs in int8 under a plan, by its output."""
    plan = plan.fitted_to(planned_layers(layers, plan.precision_of()))
    planned = {name: precision is Precision.INT8 for name, precision in plan.precision_of().items()}
    return precisions(units, layers, planned, tensors)
