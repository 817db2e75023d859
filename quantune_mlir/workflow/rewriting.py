"""From a plan to the mixed module."""

from __future__ import annotations

from dataclasses import dataclass

from quantune_mlir.execution.targets import load_target
from quantune_mlir.integer.options import IntegerOptions
from quantune_mlir.ir.attributes import PRECISION
from quantune_mlir.ir.edit import copy_module
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.layers import Layer, find_layers
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.tensors import find_tensors
from quantune_mlir.ir.units import SHARING, entry_block, find_units, string_attribute
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.assign_precision import AssignPrecision
from quantune_mlir.passes.assign_qparams import AssignQParams
from quantune_mlir.passes.driver import run_pipeline
from quantune_mlir.passes.quantize import Quantize
from quantune_mlir.passes.remove_dead_code import RemoveDeadCode
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.workflow.model import Model
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.repairs import repairs


@dataclass(frozen=True)
class Rewrite:
    """The mixed module, and the precision that each layer of the fp32 model has in it."""

    module: ir.Module
    precision: dict[str, str]


class PlanRewriter:
    """Rewrites a model as plans ask for. What all plans share, repairs and integer parameters, is done once."""

    def __init__(self, model: Model, profile: Profile, options: QuantizeOptions) -> None:
        self.options = options
        assign = AssignQParams(profile, options.scheme, options.range)
        self._module = model.with_passes(*repairs(profile, options), assign)

    def rewrite(self, plan: PrecisionPlan) -> Rewrite:
        """The mixed module that `plan` asks for."""
        module = copy_module(self._module)
        run_pipeline(module, [AssignPrecision(plan)])
        units = find_units(entry_block(main_function(module)))
        layers = find_layers(units, find_tensors(main_function(module), units))
        precision = {layer.name: _precision(layer) for layer in layers}
        integer = integer_options(self.options)
        run_pipeline(module, [Quantize(integer.weights, integer.scheme, integer.requantize), RemoveDeadCode()])
        return Rewrite(module, precision)


def integer_options(options: QuantizeOptions) -> IntegerOptions:
    """How int8 is computed: what the options say, or what suits their target."""
    requantize = options.requantize or load_target(options.target).requantize
    return IntegerOptions(options.weights, options.scheme, requantize)


def _precision(layer: Layer) -> str:
    """What a layer computes in; its moves may differ."""
    computing = [unit for unit in layer.units if unit.kind not in SHARING]
    return string_attribute((computing or layer.units)[-1].op, PRECISION) or ""
