"""quantune-shadow-int8

In:  simplified fp32 TOSA with `quantune.qparams`.
Out: the same program, and beside each layer its int8 forms, compared with the fp32 one by `quantune.measure`:
     accumulated: every layer so far int8, so that errors add up;
     local:       this layer alone int8, fed with the fp32 run's inputs.

Each layer is measured by itself, and computed as it will ship: a convolution whose clamp folds into its epilogue is
measured at its i32 accumulator, before any rounding to int8, and the clamp after it at the int8 result of both. The
local error of such a clamp is that of the whole fusion group. The program's results stay those of the fp32 run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.integer.emitter import Emitter
from quantune_mlir.integer.options import Granularity, IntegerOptions, RequantizeMode
from quantune_mlir.integer.rewriter import Rewriter
from quantune_mlir.ir import quantune_dialect
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.fusion import foldable_clamps
from quantune_mlir.ir.layers import Layer, find_layers
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.qparams import read_qparams
from quantune_mlir.ir.quantune_dialect import ACCUMULATED, LOCAL, Noise
from quantune_mlir.ir.tensors import find_tensors
from quantune_mlir.ir.units import Unit, entry_block, find_units, is_float
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.schemes import Scheme
from quantune_mlir.passes.base import Pass


@dataclass(frozen=True)
class ShadowInt8(Pass):
    """Run every layer in int8 beside its fp32 form, and measure the difference."""

    name: ClassVar[str] = "quantune-shadow-int8"

    weights: Granularity = "per-channel"
    scheme: Scheme = Scheme.ASYMMETRIC
    requantize: RequantizeMode = "float"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        units = find_units(entry_block(function))
        tensors = find_tensors(function, units)
        params = read_qparams(function)
        options = IntegerOptions(self.weights, self.scheme, self.requantize)
        shadow = _Shadow(units, find_layers(units, tensors), options, params)
        for argument in entry_block(function).arguments:
            if argument in params:
                shadow.measure_argument(argument, tensors.names[argument])
        following = _following(function)
        for unit in units:
            shadow.add(unit, following[unit.op])


class _Shadow:
    """The int8 forms of a function, added unit by unit."""

    def __init__(
        self,
        units: Sequence[Unit],
        layers: Sequence[Layer],
        options: IntegerOptions,
        params: Mapping[ir.Value, QuantParams],
    ) -> None:
        self._first = units[0]
        self._options = options
        self._params = params
        self._layers = {layer.output: layer for layer in layers}
        with_int8 = {unit.output for layer in layers if layer.quantizable for unit in layer.units}
        self._int8 = with_int8 | {unit.output for unit in units if unit.layer is None and unit.output in params}
        clamps = foldable_clamps(units)
        self._heads = {
            clamps[unit.output].output: unit
            for unit in units
            if unit.output in clamps and {unit.output, clamps[unit.output].output} <= self._int8
        }
        self._folding = {head.output for head in self._heads.values()}
        self._accumulated = Rewriter(params, options)

    def measure_argument(self, argument: ir.Value, name: str) -> None:
        """Compares a graph input with its int8 form."""
        quantized = self._accumulated.int8(argument, Emitter(self._first, self._first.op))
        with ir.InsertionPoint(self._first.op), self._first.op.location:
            quantune_dialect.measure(argument, quantized.value, name, noise=ACCUMULATED, params=quantized.params)

    def add(self, unit: Unit, before: ir.Operation) -> None:
        """Emits the int8 forms of a unit before an op, and the measurements if it ends its layer."""
        self._emit(self._accumulated, unit, before)
        layer = self._layers.get(unit.output)
        if layer is None or not is_float(unit.output):
            return
        _measure(self._accumulated, layer, before, ACCUMULATED)
        if layer.quantizable:
            alone = Rewriter(self._params, self._options)
            for member in layer.units:
                self._emit(alone, member, before)
            _measure(alone, layer, before, LOCAL)

    def _emit(self, rewriter: Rewriter, unit: Unit, before: ir.Operation) -> None:
        if unit.output not in self._int8:
            rewriter.to_fp32(unit, before)
        elif unit.output in self._heads:
            rewriter.to_int8(self._heads[unit.output], before, clamp=unit)
        else:
            rewriter.to_int8(unit, before, ends_in_float=unit.output in self._folding)


def _measure(rewriter: Rewriter, layer: Layer, before: ir.Operation, noise: Noise) -> None:
    value, params = rewriter.form(layer.output)
    with ir.InsertionPoint(before), layer.units[-1].op.location:
        quantune_dialect.measure(layer.output, value, layer.name, noise=noise, params=params)


def _following(function: ir.Operation) -> dict[ir.Operation, ir.Operation]:
    ops = [op.operation for op in entry_block(function)]
    return dict(zip(ops, ops[1:], strict=False))
