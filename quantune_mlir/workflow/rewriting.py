"""From a plan to the mixed module."""

from __future__ import annotations

from dataclasses import dataclass

from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.units import SHARING, Unit
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import Boundary, IntegerOptions
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.qparams import read_qparams
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import NumberFormat
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.quantize.assign_precision import planned_formats
from quantune_mlir.passes.quantize.assign_qparams import is_scaled
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.repairs import repaired


@dataclass(frozen=True)
class Rewrite:
    """The mixed module, and the precision that each layer of the fp32 model has in it."""

    module: ir.Module
    precision: dict[str, str]


class PlanRewriter:
    """Rewrites a model as plans ask for. What all plans share, repairs and integer parameters, is done once.

    Attributes:
        options: what the model is quantized with.
        repaired: the model after that.
    """

    def __init__(self, model: Model, profile: Profile, options: QuantizeOptions) -> None:
        self.options = options
        self.repaired = repaired(model, profile, options)
        self._done: dict[tuple[Boundary | NumberFormat, ...], Rewrite] = {}

    @property
    def parameters(self) -> dict[str, QuantParams]:
        """Parameters by tensor, of those that the profile has seen as they are: equalization has scaled the others."""
        given = read_qparams(self.repaired.function)
        names = self.repaired.network.tensors.names.items()
        return {name: given[value] for value, name in names if value in given and not is_scaled(value)}

    def annotated(self, plan: PrecisionPlan) -> Model:
        """The repaired model with parameters and the precisions that `plan` asks for."""
        return self.repaired.after("annotate", plan=plan)

    def rewrite(self, plan: PrecisionPlan, boundary: Boundary = "fp32") -> Rewrite:
        """The mixed module that `plan` asks for: the same one for plans that agree.

        With an int8 boundary its inputs and outputs are int8, but for those that fp32 layers read or make.
        """
        model = self.repaired
        formats = planned_formats(plan, model.network)
        key = (boundary, *formats.values())
        if key not in self._done:
            precision = {layer.name: formats[_computing(layer).output].name for layer in model.layers}
            mixed = model.after("rewrite", plan=plan, boundary=boundary, **vars(integer_options(self.options)))
            self._done[key] = Rewrite(mixed.module, precision)
        return self._done[key]


def integer_options(options: QuantizeOptions) -> IntegerOptions:
    """How int8 is computed: what the options say, or what suits their target."""
    suited = "integer" if options.is_integer_only else load_target(options.target).requantize
    return IntegerOptions(options.weights, options.scheme, options.requantize or suited)


def _computing(layer: Layer) -> Unit:
    """The unit of a layer that computes, whose precision is the layer's: its moves may have another."""
    return [unit for unit in layer.units if unit.kind not in SHARING or not layer.computes][-1]
