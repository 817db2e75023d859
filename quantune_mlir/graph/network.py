"""The network that a function of fp32 TOSA is: each fact about it found once, and asked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from quantune_mlir.graph import precision_propagation
from quantune_mlir.graph.baseline import Baseline, find_baselines
from quantune_mlir.graph.channels import channel_tensors
from quantune_mlir.graph.closing import closing_channels, closing_values
from quantune_mlir.graph.epilogues import foldable_clamps, private_values, readers_of
from quantune_mlir.graph.layers import Layer, find_layers
from quantune_mlir.graph.output_parts import find_parts
from quantune_mlir.graph.scalable import ScalableRange, find_scalable_ranges
from quantune_mlir.graph.tensors import Tensors, find_tensors
from quantune_mlir.graph.units import Unit, find_units
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import main_function
from quantune_mlir.numerics.formats import FP32, NumberFormat
from quantune_mlir.numerics.parts import Part


@dataclass(frozen=True, eq=False)
class Network:
    """A function, and what quantization has to know of it. It holds as long as no op of the function changes.

    Of a loop it is the `region` that is its body, as far as units and who reads them go.
    """

    function: ir.Operation
    region: int = 0

    @staticmethod
    def of(module: ir.Module) -> Network:
        """The network that @main is. Raises PassError if there is none."""
        return Network(main_function(module))

    @property
    def module(self) -> ir.Operation:
        """The module that the function stands in."""
        return self.function.parent.operation

    @cached_property
    def block(self) -> ir.Block:
        """The function's body."""
        (block,) = self.function.regions[self.region].blocks
        return block

    @cached_property
    def units(self) -> list[Unit]:
        """What of a layer gets one form together, in topological order."""
        return find_units(self.block)

    @cached_property
    def makers(self) -> dict[ir.Value, Unit]:
        """The unit that makes each activation."""
        return {unit.output: unit for unit in self.units}

    @cached_property
    def readers(self) -> dict[ir.Value, list[Unit]]:
        """The units that read each activation, in order."""
        return readers_of(self.units)

    @cached_property
    def clamps(self) -> dict[ir.Value, Unit]:
        """The clamp that each computing unit can fold into its epilogue, by the unit's output."""
        return foldable_clamps(self.units, self.readers)

    @cached_property
    def tensors(self) -> Tensors:
        """The profiled tensors, and which activations share their parameters."""
        return find_tensors(self.function, self.units, self.clamps)

    @cached_property
    def layers(self) -> list[Layer]:
        """What a plan decides on, in topological order."""
        return find_layers(self.units, self.tensors, self.clamps)

    @cached_property
    def layer_making(self) -> dict[ir.Value, Layer]:
        """The layer that makes each activation; layout transposes belong to none."""
        return {unit.output: layer for layer in self.layers for unit in layer.units}

    @cached_property
    def channel_tensors(self) -> dict[ir.Value, str]:
        """The activations that are observed channel by channel, and their names."""
        return channel_tensors(self.units, self.tensors, self.scalable_ranges, self.closing_channels)

    @cached_property
    def scalable_ranges(self) -> list[ScalableRange]:
        """Where channels can be scaled."""
        return find_scalable_ranges(self.units, self.readers)

    @cached_property
    def private_values(self) -> set[ir.Value]:
        """The activations that are rounded to int8 for the one unit that reads them."""
        return private_values(self.units, self.readers, self.clamps)

    @cached_property
    def closing_values(self) -> list[ir.Value]:
        """The results of the last deciding layers before the network's results."""
        return closing_values(self)

    def closing_values_before(self, value: ir.Value) -> list[ir.Value]:
        """The results of the last deciding layers that an activation is computed from."""
        return closing_values(self, value)

    @cached_property
    def closing_channels(self) -> dict[ir.Value, int]:
        """The closing values with channels that are judged by their own scale, and how many each has."""
        return closing_channels(self)

    @cached_property
    def baselines(self) -> dict[ir.Value, Baseline]:
        """What of the closing values tells nothing, where there is such a thing."""
        return find_baselines(self)

    @cached_property
    def parts(self) -> dict[Part, ir.Value]:
        """The parts of the outputs, each judged by its own noise, and the value that holds the elements of each."""
        return find_parts(self)

    @cached_property
    def owners(self) -> dict[str, str]:
        """By layer the deciding layer whose precision it has; "" if none."""
        return precision_propagation.owners(self.layers)

    @cached_property
    def deciding_readers(self) -> dict[ir.Value, list[str]]:
        """By activation the deciding layers that read it, or what layers that decide nothing make of it."""
        return precision_propagation.deciding_readers(self.units, self.layer_making)

    def formats(self, planned: Mapping[str, NumberFormat]) -> dict[ir.Value, NumberFormat]:
        """The format of each unit, by its output, given the layers with a format of their own."""
        return precision_propagation.formats(self, planned)

    def everywhere(self, format_: NumberFormat) -> dict[ir.Value, NumberFormat]:
        """The format of each unit, by its output, where every layer that can has this one."""
        layers = (layer for layer in self.layers if layer.decides or not layer.quantizable)
        return self.formats({layer.name: format_ if layer.quantizable else FP32 for layer in layers})

    def sources(self, value: ir.Value) -> set[ir.Value]:
        """What a value is computed from, itself included."""
        pending, found = [value], set[ir.Value]()
        while pending:
            source = pending.pop()
            if source not in found:
                found.add(source)
                pending += self.makers[source].inputs if source in self.makers else ()
        return found
