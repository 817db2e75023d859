"""quantune-assign-precision.

In:  simplified fp32 TOSA, and a plan.
Out: the same, each op with `quantune.precision`: what the plan says of its layer, or, for ops that decide nothing and
     that the plan does not name, what their neighbours make of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.ir.attributes import PRECISION
from quantune_mlir.ir.followers import follow
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.layers import find_layers
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.tensors import find_tensors
from quantune_mlir.ir.units import entry_block, find_units
from quantune_mlir.passes.base import Pass
from quantune_mlir.passes.layer_graph import planned_layers
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
        layers = find_layers(units, tensors)
        plan = self.plan.fitted_to(planned_layers(layers, self.plan.precision_of()))
        precision = plan.precision_of()
        decided = {
            unit.output: precision[layer.name] is Precision.INT8
            for layer in layers
            if layer.name in precision
            for unit in layer.units
        }
        can = frozenset(unit.output for unit in units if all(v in tensors.groups for v in (*unit.inputs, unit.output)))
        in_int8 = follow(units, decided, can)
        for unit in units:
            value = "int8" if in_int8[unit.output] else "fp32"
            for op in unit.ops:
                op.attributes[PRECISION] = ir.StringAttr.get(value, module.context)
