"""What a plan makes of each tensor of a network, read from the annotated module."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from quantune_mlir.graph.epilogues import Endings, find_endings
from quantune_mlir.graph.tensors import argument_names
from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.integer.options import IntegerOptions
from quantune_mlir.mlir.attributes import PRECISION, string_attribute
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_float
from quantune_mlir.mlir.function import entry_block
from quantune_mlir.mlir.qparams import read_qparams
from quantune_mlir.model import Model
from quantune_mlir.numerics.parameters import QuantParams


class Stored(NamedTuple):
    """How a tensor is stored: its parameters, if it has an int8 form, and whether it has no other form."""

    params: QuantParams | None
    only_int8: bool


FP32 = Stored(None, False)


@dataclass(frozen=True)
class Planned:
    """A model before and after repairs, with a plan.

    Attributes:
        original: the units of the simplified fp32 model, by layer.
        units: those of the repaired one.
        options: how int8 is computed.
        params: of the repaired one's activations.
        in_int8: outputs of its int8 units.
        endings: of its int8 units.
        inputs: its arguments by name.
    """

    original: Mapping[str, list[Unit]]
    units: Mapping[str, list[Unit]]
    options: IntegerOptions
    params: Mapping[ir.Value, QuantParams]
    in_int8: frozenset[ir.Value]
    endings: Endings
    inputs: Mapping[str, ir.Value]

    @staticmethod
    def of(model: Model, annotated: Model, options: IntegerOptions) -> Planned:
        """What `annotated`, repaired and with `quantune.qparams` and `quantune.precision`, says of `model`."""
        units = annotated.units
        in_int8 = frozenset(unit.output for unit in units if string_attribute(unit.op, PRECISION) == "int8")
        endings = find_endings(units, in_int8, float_epilogues=options.requantize == "float")
        arguments = [value for value in entry_block(annotated.function).arguments if is_float(value)]
        return Planned(
            _by_layer(model.units),
            _by_layer(units),
            options,
            read_qparams(annotated.function),
            in_int8,
            endings,
            dict(zip(argument_names(annotated.function), arguments, strict=True)),
        )

    def stored(self, value: ir.Value) -> Stored:
        """How an activation is stored; one that another op's epilogue continues is not at all."""
        if value in self.endings.clamps or value in self.endings.in_float or value not in self.params:
            return FP32
        computed_in_fp32 = value not in self.in_int8 or value in self.endings.functions
        return Stored(self.params[value], not computed_in_fp32)

    def reads_int8(self, layer: str) -> bool:
        """Whether a layer takes the int8 form of what it reads."""
        units = self.units.get(layer, [])
        computing = [unit for unit in units if unit.kind not in SHARING] or units
        return any(unit.output in self.in_int8 and unit.output not in self.endings.functions for unit in computing)

    def clamp(self, layer: str) -> Unit | None:
        """The clamp that a layer is, moves apart."""
        clamps = [unit for unit in self.units.get(layer, []) if unit.kind is Kind.CLAMP]
        return clamps[0] if len(clamps) == 1 else None

    def folds(self, clamp: Unit) -> bool:
        """Whether a clamp is part of the epilogue of an int8 unit."""
        return any(folded.output == clamp.output for folded in self.endings.clamps.values())


def _by_layer(units: list[Unit]) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        if unit.layer is not None:
            found[unit.layer].append(unit)
    return dict(found)
