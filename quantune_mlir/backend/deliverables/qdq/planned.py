"""What a plan makes of each tensor of a network, read from the annotated module."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from quantune_mlir.errors import OutputError
from quantune_mlir.graph.lowering import Form, LoweringStep, lowering_steps
from quantune_mlir.graph.tensors import argument_names
from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_constant, is_float
from quantune_mlir.mlir.qparams import read_qparams
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import INT8_ACTIVATIONS, NumberFormat
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.passes.quantize.assign_precision import annotated_formats


class Stored(NamedTuple):
    """How a tensor is stored: its parameters, if it has an int8 form, and whether it has no other form."""

    params: QuantParams | None
    only_int8: bool


FP32 = Stored(None, False)
_PASSING: Final = SHARING | {Kind.CLAMP}
"""Kinds that hand a factor on."""


@dataclass(frozen=True)
class PlannedModel:
    """A model before and after repairs, with a plan.

    Attributes:
        original: the units of the simplified fp32 model, by layer.
        units: those of the repaired one.
        options: how int8 is computed.
        params: of the repaired one's activations.
        formats: by output, that of each unit.
        steps: how it is lowered, by what each step makes.
        inputs: its arguments by name.
        untold: tensors that the ONNX graph may have in another scale, see `proved_by`.
    """

    original: Mapping[str, list[Unit]]
    units: Mapping[str, list[Unit]]
    options: IntegerOptions
    params: Mapping[ir.Value, QuantParams]
    formats: Mapping[ir.Value, NumberFormat]
    steps: Mapping[ir.Value, LoweringStep]
    inputs: Mapping[str, ir.Value]
    untold: frozenset[ir.Value] = frozenset()

    @staticmethod
    def of(model: Model, annotated: Model, options: IntegerOptions) -> PlannedModel:
        """What `annotated`, repaired and with `quantune.qparams` and `quantune.precision`, says of `model`.

        Raises:
            OutputError: a layer is neither int8 nor fp32.
        """
        network = annotated.network
        formats = annotated_formats(network)
        for unit in network.units:
            format_ = formats[unit.output]
            if format_.activations not in (None, INT8_ACTIVATIONS):
                raise OutputError(
                    f"layer {unit.layer!r} is {format_}; in QDQ ONNX layers are int8 or fp32",
                    where="qdq-onnx",
                    remedy="plan with --formats int8,fp32",
                )
        steps = lowering_steps(network, formats, float_epilogues=options.requantize == "float")
        arguments = [value for value in network.block.arguments if is_float(value)]
        return PlannedModel(
            _by_layer(model.network.units),
            _by_layer(network.units),
            options,
            read_qparams(annotated.function),
            formats,
            {step.end: step for step in steps},
            dict(zip(argument_names(annotated.function), arguments, strict=True)),
        )

    def proved_by(self, products: Collection[str]) -> PlannedModel:
        """The same, given the layers whose products nodes of the graph have proved to be.

        Factors may have been folded into other products: what these make, and the means that they read, moved, averaged
        or clamped as well, may be a multiple of what the graph has there.
        """
        units = [unit for layer in self.units.values() for unit in layer]
        makers = {unit.output: unit for unit in units}
        unproved = [unit for unit in units if has_weights(unit) and unit.layer not in products]
        untold = {unit.output for unit in unproved}
        for unit in unproved:
            read = makers.get(unit.inputs[0])
            while read is not None and read.kind in _PASSING:
                read = makers.get(read.inputs[0])
            if read is not None and read.kind is Kind.MEAN:
                untold.add(read.output)
        while (
            more := {unit.output for unit in units if unit.kind in _PASSING and untold.intersection(unit.inputs)}
            - untold
        ):
            untold |= more
        return replace(self, untold=frozenset(untold))

    def in_int8(self, value: ir.Value) -> bool:
        """Whether a value is the output of an int8 unit."""
        return value in self.formats and self.formats[value].is_integer

    def stored(self, value: ir.Value) -> Stored:
        """How an activation is stored; one that another op's epilogue continues is not at all."""
        step = self.steps.get(value)
        inside = step is None and self.in_int8(value)
        untold = value not in self.params or value in self.untold
        if inside or untold or (step is not None and step.form is Form.TO_FP32):
            return FP32
        return Stored(self.params[value], step is not None and step.form is Form.INTEGER)

    def reads_int8(self, layer: str) -> bool:
        """Whether a layer takes the int8 form of what it reads."""
        units = self.units.get(layer, [])
        computing = [unit for unit in units if unit.kind not in SHARING] or units
        return any(self.in_int8(unit.output) and not self._is_rounded(unit.output) for unit in computing)

    def _is_rounded(self, value: ir.Value) -> bool:
        return value in self.steps and self.steps[value].form is Form.ROUNDED

    def clamp(self, layer: str) -> Unit | None:
        """The clamp that a layer is, moves apart."""
        clamps = [unit for unit in self.units.get(layer, []) if unit.kind is Kind.CLAMP]
        return clamps[0] if len(clamps) == 1 else None

    def folds(self, clamp: Unit) -> bool:
        """Whether a clamp is part of the epilogue of an int8 unit."""
        return clamp.output in self.steps and self.steps[clamp.output].clamp is not None


def has_weights(unit: Unit) -> bool:
    """Whether it is a product with constant weights."""
    return unit.kind is Kind.DOT and is_constant(unit.op.operands[1])


def _by_layer(units: list[Unit]) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        if unit.layer is not None:
            found[unit.layer].append(unit)
    return dict(found)
