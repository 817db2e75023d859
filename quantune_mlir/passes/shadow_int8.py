"""quantune-shadow-int8

In:  simplified fp32 TOSA with `quantune.qparams`.
Out: the same program, and beside each layer its int8 forms, compared with the fp32 one by `quantune.measure`:
     accumulated: every layer so far int8, so that errors add up;
     local:       this layer alone int8, fed with the fp32 run's inputs.

Nothing is fused: each layer's own error is seen. The program's results stay those of the fp32 run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.integer.emitter import Emitter
from quantune_mlir.integer.options import Granularity, IntegerOptions, RequantizeMode
from quantune_mlir.integer.rewriter import Rewriter
from quantune_mlir.ir import quantune_dialect
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.layers import find_layers
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.quantune_dialect import ACCUMULATED, LOCAL, Noise
from quantune_mlir.ir.qparams import read_qparams
from quantune_mlir.ir.tensors import find_tensors
from quantune_mlir.ir.units import Unit, entry_block, find_units
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
        block = entry_block(function)
        units = find_units(block)
        tensors = find_tensors(function, units)
        layers = find_layers(units, tensors)
        params = read_qparams(function)
        options = IntegerOptions(self.weights, self.scheme, self.requantize)
        after = dict(zip((op.operation for op in block), [op.operation for op in block][1:], strict=False))
        by_last_unit = {layer.units[-1].output: layer for layer in layers}
        int8_units = {unit.output for layer in layers if layer.quantizable for unit in layer.units}
        int8_units |= {unit.output for unit in units if unit.layer is None and unit.output in tensors.groups}
        accumulated = Rewriter(params, options)
        for argument in block.arguments:
            if argument in params:
                _measure(accumulated, argument, tensors.names[argument], units[0], units[0].op, ACCUMULATED)
        for unit in units:
            before = after[unit.op]
            if unit.output in int8_units:
                accumulated.to_int8(unit, before)
            else:
                accumulated.to_fp32(unit, before)
            layer = by_last_unit.get(unit.output)
            if layer is not None and layer.quantizable:
                alone = Rewriter(params, options)
                for member in layer.units:
                    alone.to_int8(member, before)
                _measure(accumulated, unit.output, layer.name, unit, before, ACCUMULATED)
                _measure(alone, unit.output, layer.name, unit, before, LOCAL)


def _measure(
    rewriter: Rewriter, value: ir.Value, name: str, unit: Unit, before: ir.Operation, noise: Noise
) -> None:
    quantized = rewriter.int8(value, Emitter(unit, before))
    with ir.InsertionPoint(before), unit.op.location:
        quantune_dialect.measure(value, quantized.value, name, noise=noise, params=quantized.params)
