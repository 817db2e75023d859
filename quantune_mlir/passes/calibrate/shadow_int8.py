"""quantune-shadow-int8.

In:  simplified fp32 TOSA with `quantune.qparams`.
Out: the same program, and beside each layer its int8 forms, compared with the fp32 one by `quantune.measure`:
     accumulated: every layer int8 that can be, so that errors add up;
     local:       this layer alone int8, fed with the fp32 run's inputs;
     rounding:    nothing int8 but the layer's result, where an int8 layer reads it;
     projected:   what the layer alone, and the rounding of its result, add to the network's output (see
                  adjoint/noise_probe.py).
     Where the network allows projection, a second function, @probe, measures all four, and @main the first only, and
     that not of what a folded clamp reads: computing it takes an int8 convolution more. Where the network ends in
     several layers, @probe has one more argument, tensor<n x f32>: how much of each it looks at. The module's attribute
     `quantune.outputs` lists them. Where channels of an output are of different scales, each group of them is measured,
     too, and looked at by its own scale.
     With a `plan`, only the layers that it has in int8 are, and there is no @probe.
     Where not all of an output counts, it is measured without what does not, too (see graph/baseline.py):
     residual:    accumulated, of the rest.

Each layer is measured by itself, and computed as it ships in the all-int8 program: a convolution whose clamp folds into
its epilogue is measured at its i32 accumulator, before any rounding to int8, and the clamp after it at the int8 result
of both; one that only fp32 ops read is measured at the fp32 result in which it ends. The local error of a convolution
and its folded clamp is measured once, at the result of both. Moves that ship in fp32, because only fp32 ops read them,
are locally measured in int8: that is what a plan can ask for. The program's results stay those of the fp32 run.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.adjoint.float_ops import along_channels, mean_along, multiply, reshape, subtract
from quantune_mlir.adjoint.noise_probe import Direction, LayerError, project, project_rounding, sweep_back
from quantune_mlir.graph.baseline import Baseline
from quantune_mlir.graph.epilogues import ACCUMULATING
from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.lowering import Form, LoweringStep, lowering_steps
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.integer.boundary import dequantize
from quantune_mlir.integer.integer_options import Granularity, IntegerOptions, RequantizeMode
from quantune_mlir.integer.rewriter import Rewriter
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.attributes import CHANNEL_LEVELS
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_float
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.mlir.dialects.quantune import ACCUMULATED, LOCAL, RESIDUAL, ROUNDING, Noise
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.function import entry_block
from quantune_mlir.mlir.qparams import read_qparams, read_ranges
from quantune_mlir.numerics.formats import FP32, INT8, INT8_ACTIVATIONS
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.parts import channel_groups
from quantune_mlir.numerics.schemes import Scheme
from quantune_mlir.passes.quantize.assign_precision import planned_formats
from quantune_mlir.pipeline.base import NetworkPass
from quantune_mlir.planning.plan import ALL_INT8, PrecisionPlan

PROBE: Final = "probe"
OUTPUTS: Final = "quantune.outputs"
MOST_UNITS_PROJECTED: Final = 500
"""For larger networks, IREE's virtual machine has not registers enough for the sweep back beside all else."""


@dataclass(frozen=True)
class ShadowInt8(NetworkPass):
    """Run every layer in int8 beside its fp32 form, and measure the difference."""

    name: ClassVar[str] = "quantune-shadow-int8"

    weights: Granularity = IntegerOptions.weights
    scheme: Scheme = IntegerOptions.scheme
    requantize: RequantizeMode = IntegerOptions.requantize
    plan: PrecisionPlan = ALL_INT8

    def apply_to(self, network: Network) -> None:
        size = len(network.units)
        if size == 0:
            return
        probes = self.plan == ALL_INT8 and size <= MOST_UNITS_PROJECTED
        probe = _twin(network) if probes else None
        if probe is not None:
            outputs = self._shadow(probe, alone=True).project()
            if outputs:
                module, context = network.module, network.module.context
                names = ir.ArrayAttr.get([ir.StringAttr.get(name, context) for name in outputs], context)
                module.attributes[OUTPUTS] = names
            else:
                probe.function.erase()
                probe = None
        shadow = self._shadow(network, alone=probe is None)
        shadow.measure_alone()

    def _shadow(self, network: Network, *, alone: bool) -> _Shadow:
        options = IntegerOptions(self.weights, self.scheme, self.requantize)
        shadow = _Shadow(network, options, self.plan, alone=alone)
        shadow.measure_arguments()
        following = dict(itertools.pairwise(op.operation for op in network.block))
        for unit in network.units:
            shadow.add(unit, following[unit.op])
        shadow.measure_groups()
        shadow.measure_residuals()
        return shadow


def _channel_levels(network: Network) -> dict[ir.Value, NDArray[np.float64]]:
    """The root mean squares of the channels of outputs, where a pass left them."""
    attributes = {value: network.makers[value].op.attributes for value in network.closing_channels}
    return {
        value: np.array(ir.DenseF64ArrayAttr(found[CHANNEL_LEVELS]))
        for value, found in attributes.items()
        if CHANNEL_LEVELS in found
    }


def _twin(network: Network) -> Network:
    with ir.InsertionPoint(network.module.regions[0].blocks[0]):
        twin = network.function.clone()
    twin.attributes["sym_name"] = ir.StringAttr.get(PROBE)
    return Network(twin)


class _Shadow:
    """The int8 forms of a function, added unit by unit."""

    def __init__(self, network: Network, options: IntegerOptions, plan: PrecisionPlan, *, alone: bool) -> None:
        """`alone`: whether each layer is to be measured by itself as well."""
        self._network = network
        self._alone = alone
        self._options = options
        self._params = read_qparams(network.function)
        self._layers = {layer.output: layer for layer in network.layers}
        self._formats = planned_formats(plan, network)
        self._measured_alone = {
            layer.name
            for layer in network.layers
            if layer.quantizable and (plan == ALL_INT8 or any(self._in_int8(unit.output) for unit in layer.units))
        }
        steps = lowering_steps(network, self._formats, float_epilogues=options.requantize == "float")
        self._steps = {step.end: step for step in steps}
        self._before_clamps = {step.unit.output for step in self._steps.values() if step.clamp is not None}
        self._ranges = read_ranges(network.function)
        self._accumulated = self._rewriter()
        self._rounded: dict[ir.Value, Quantized] = {}
        self._waiting: list[_Alone] = []
        self._levels = _channel_levels(network)
        groups = {value: channel_groups(levels**2) for value, levels in self._levels.items()}
        self._groups = {value: found for value, found in groups.items() if len(found) > 1}

    def _rewriter(self) -> Rewriter:
        return Rewriter(self._params, self._options, self._ranges)

    def _in_int8(self, value: ir.Value) -> bool:
        """Whether the unit that makes a value computes in integers."""
        return self._formats[value].is_integer

    def measure_arguments(self) -> None:
        """Compares each graph input that ships in int8 with its int8 form."""
        first = self._network.units[0]
        for value, name in self._network.tensors.names.items():
            readers = (self._formats[reader.output] for reader in self._network.readers.get(value, ()))
            codes = next((format_.activations for format_ in readers if format_.activations is not None), None)
            if isinstance(value, ir.BlockArgument) and codes is not None:
                emitter = UnitEmitter(first, first.ops[0])
                quantized = self._accumulated.integer(value, emitter, codes)
                candidate, params = _measurable(emitter, quantized.value, quantized.params)
                with ir.InsertionPoint(first.ops[0]), first.op.location:
                    quantune.measure(value, candidate, name, noise=ACCUMULATED, params=params)

    def add(self, unit: Unit, before: ir.Operation) -> None:
        """Emits the int8 forms of a unit before an op, and the measurements if it ends its layer."""
        before_clamp = unit.output in self._before_clamps
        if before_clamp and not self._alone:
            return
        self._accumulated.emit(self._up_to(unit), before)
        layer = self._layers.get(unit.output)
        if layer is None or not is_float(unit.output):
            return
        _measure(self._accumulated, layer, before, ACCUMULATED)
        if self._alone and layer.name in self._measured_alone and not before_clamp:
            clamped = (self._steps[u.output] for u in layer.units if u.output in self._steps)
            head = next((step.unit for step in clamped if step.clamp is not None), unit)
            decider = self._layers.get(head.output, layer)
            self._waiting.append(_Alone(decider, layer, before))
            self._measure_rounding(decider, layer, before)

    def measure_alone(self) -> None:
        """Emits the layers alone, each where it stands."""
        for waiting in self._waiting:
            self._measure_local(waiting.decider, waiting.layer, waiting.place)

    def _measure_local(self, decider: Layer, layer: Layer, before: ir.Operation) -> LayerError | None:
        """Emits a layer alone, with the unit that its clamp folds into; its result is rounded to int8 at last.

        Its error is None if it decides nothing, or would be computed in fp32 even if it alone were int8.
        """
        alone = self._rewriter()
        last = max((i for i, member in enumerate(layer.units) if member.kind not in SHARING), default=None)
        for i, member in enumerate(layer.units):
            step = self._up_to(member)
            if last is not None and i > last:
                step = LoweringStep(member, None, FP32, Form.FP32)
            elif i == last and step.unit.kind in ACCUMULATING:
                step = replace(step, format=INT8, form=Form.TO_FP32)
            elif not layer.computes and step.form is Form.FP32:
                step = replace(step, format=INT8, form=Form.INTEGER)
            alone.emit(step, before)
        is_int8 = self._in_int8(layer.output) or not layer.computes
        if is_int8 and self._form_of(layer.output) is not Form.TO_FP32:
            alone.int8(layer.output, UnitEmitter(layer.units[-1], before))
        _measure(alone, layer, before, LOCAL)
        if not decider.decides or self._form_of(layer.output) is Form.ROUNDED:
            return None
        approximation, params = alone.unrounded(layer.output)
        return LayerError(decider, layer.output, approximation, params)

    def project(self) -> list[str]:
        """Emits what the layers' local errors add to the network's outputs; names of the layers that make these.

        None if that cannot be. A layer is computed alone when the sweep back comes by: no approximation has to be kept
        until then.
        """
        outputs = self._network.closing_values
        if not outputs:
            return []
        *_, terminator = self._network.block
        shares = _shares(self._network.function, len(outputs)) if len(outputs) > 1 else None
        directions = [self._direction(output) for output in outputs]
        place = terminator.operation
        cotangents = sweep_back(self._network.units, directions, shares, self._params, self._arrived, place)
        if cotangents is None:
            return []
        for waiting in self._waiting:
            cotangent = cotangents.of.get(waiting.layer.output)
            place = waiting.place if cotangent is None else _next(cotangent.owner)
            error = self._measure_local(waiting.decider, waiting.layer, place)
            if error is not None and cotangent is not None:
                project(error, cotangents, self._rounded, self._network.private_values, place)
        for value, rounded in self._rounded.items():
            cotangent = cotangents.of.get(value)
            if value not in self._network.private_values and cotangent is not None:
                project_rounding(self._layers[value], cotangent, rounded)
        return [self._layers[output].name for output in outputs]

    def _direction(self, value: ir.Value) -> Direction:
        """Where noise is looked at for it to be beside the signal of an output, of each group of channels its own."""
        baseline = self._network.baselines.get(value)
        if baseline is not None:
            return Direction(baseline.output, without_mean_along=baseline.axis)
        if value not in self._groups:
            return Direction(value)
        energies = self._levels[value] ** 2
        weights = np.ones_like(energies)
        for group in self._groups[value]:
            weights[group] = np.sqrt(energies.sum() / (energies[group].sum() or energies.sum()))
        return Direction(value, weights)

    def _arrived(self, value: ir.Value) -> ir.Value:
        """What a value is with every layer int8, at the end of the function."""
        *_, terminator = self._network.block
        emitter = UnitEmitter(self._network.units[-1], terminator.operation)
        rounded = self._accumulated.given_int8(value)
        return self._accumulated.fp32(value, emitter) if rounded is None else dequantize(emitter, rounded)

    def measure_groups(self) -> None:
        """Compares each group of channels of an output that are judged by their own scale."""
        *_, terminator = self._network.block
        for value, groups in self._groups.items():
            for (name, noise), group in zip(quantune.group_rows(self._layers[value].name), groups, strict=False):
                arrived = self._arrived(value)
                with ir.InsertionPoint(terminator), self._network.makers[value].op.location:
                    mask = along_channels(value, np.isin(np.arange(shape_of(value)[-1]), group))
                    mine, theirs = (multiply(x, mask) for x in (value, arrived))
                    quantune.measure(mine, theirs, name, noise=noise, params=None)

    def measure_residuals(self) -> None:
        """Compares what is left of each output of which something tells nothing."""
        *_, terminator = self._network.block
        for value, baseline in self._network.baselines.items():
            arrived = self._arrived(baseline.output)
            with ir.InsertionPoint(terminator), self._network.makers[value].op.location:
                reference, candidate = (_left(each, baseline) for each in (baseline.output, arrived))
                quantune.measure(reference, candidate, self._layers[value].name, noise=RESIDUAL, params=None)

    def _measure_rounding(self, decider: Layer, layer: Layer, before: ir.Operation) -> None:
        """Compares the inputs of a layer, or of that which its clamp folds into, with their int8 forms, once.

        A loop reads them in fp32.
        """
        if any(unit.kind is Kind.LOOP for unit in decider.units):
            return
        for value in decider.inputs:
            source = self._layers.get(value)
            if source is not None and value in self._params and value not in self._rounded:
                rounding = self._rewriter()
                self._rounded[value] = rounding.int8(value, UnitEmitter(layer.units[-1], before))
                _measure(rounding, source, before, ROUNDING)

    def _up_to(self, unit: Unit) -> LoweringStep:
        """The step that ends in a unit; of one whose clamp folds into it, up to its accumulator."""
        if unit.output in self._before_clamps:
            return LoweringStep(unit, None, self._formats[unit.output], Form.TO_FP32)
        return self._steps[unit.output]

    def _form_of(self, value: ir.Value) -> Form | None:
        """How the step that makes a value computes; None of a value in the midst of one."""
        return self._steps[value].form if value in self._steps else None


@dataclass(frozen=True)
class _Alone:
    """A layer to be measured alone, that which its clamp folds into (or itself), and the op after it."""

    decider: Layer
    layer: Layer
    place: ir.Operation


def _measure(rewriter: Rewriter, layer: Layer, before: ir.Operation, noise: Noise) -> None:
    value, params = _measurable(UnitEmitter(layer.units[-1], before), *rewriter.form(layer.output))
    with ir.InsertionPoint(before), layer.units[-1].op.location:
        quantune.measure(layer.output, value, layer.name, noise=noise, params=params)


def _measurable(
    emitter: UnitEmitter, value: ir.Value, params: QuantParams | None
) -> tuple[ir.Value, QuantParams | None]:
    """A form that `quantune.measure` takes: int8 with parameters, or fp32."""
    if params is None or params.codes == INT8_ACTIVATIONS:
        return value, params
    return dequantize(emitter, Quantized(value, params)), None


def _left(value: ir.Value, baseline: Baseline) -> ir.Value:
    """An output, or what arrives there, without what tells nothing."""
    if baseline.argument is not None:
        return subtract(reshape(value, shape_of(baseline.argument)), baseline.argument)
    assert baseline.axis is not None
    return subtract(value, mean_along(value, baseline.axis))


def _shares(function: ir.Operation, count: int) -> ir.Value:
    """One more argument of a function: as many numbers."""
    with function.context:
        numbers = ir.RankedTensorType.get([count], ir.F32Type.get())
        argument = entry_block(function).add_argument(numbers, ir.Location.unknown())
        kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
        function.attributes["function_type"] = ir.TypeAttr.get(
            ir.FunctionType.get([*kind.inputs, numbers], kind.results)
        )
        if "arg_attrs" in function.attributes:
            attributes = [*ir.ArrayAttr(function.attributes["arg_attrs"]), ir.DictAttr.get({})]
            function.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)
    return argument


def _next(op: ir.Operation) -> ir.Operation:
    """The op after one that is not the last of its block."""
    following = ir.InsertionPoint.after(op).ref_operation
    assert following is not None
    return following.operation
