"""quantune-quantize.

In:  simplified fp32 TOSA with `quantune.qparams` and `quantune.precision`.
Out: pure TOSA of mixed precision: integer ops with requantization, fp32 ops, and boundaries where precision changes.

A clamp goes into the epilogue of the int8 op before it. An int8 accumulator that only fp32 ops read becomes fp32
directly, without being rounded to int8; so does one that a piecewise linear function reads, in float requantization.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.errors import PassError
from quantune_mlir.graph.epilogues import find_endings
from quantune_mlir.graph.units import Unit, find_units
from quantune_mlir.integer.emitter import Emitter
from quantune_mlir.integer.options import Granularity, IntegerOptions, RequantizeMode
from quantune_mlir.integer.rewriter import Rewriter
from quantune_mlir.mlir.attributes import PRECISION, string_attribute
from quantune_mlir.mlir.bindings import func, ir
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.qparams import read_qparams, remove_argument_qparams
from quantune_mlir.numerics.schemes import Scheme
from quantune_mlir.pipeline.base import Pass


@dataclass(frozen=True)
class Quantize(Pass):
    """Rewrite planned fp32 TOSA into mixed int8/fp32 TOSA."""

    name: ClassVar[str] = "quantune-quantize"

    weights: Granularity = "per-channel"
    scheme: Scheme = Scheme.ASYMMETRIC
    requantize: RequantizeMode = "float"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        block = entry_block(function)
        units = find_units(block)
        _require_precision(units)
        in_int8 = {unit.output for unit in units if string_attribute(unit.op, PRECISION) == "int8"}
        endings = find_endings(units, in_int8, float_epilogues=self.requantize == "float")
        folded = {clamp.output for clamp in endings.clamps.values()}
        rewriter = Rewriter(read_qparams(function), IntegerOptions(self.weights, self.scheme, self.requantize))
        originals = [op.operation for op in block]
        for unit in units:
            if unit.output in folded:
                continue
            if unit.output not in in_int8:
                rewriter.to_fp32(unit, unit.op)
                continue
            if unit.output in endings.functions:
                rewriter.to_int8_in_fp32(unit, unit.op)
                continue
            clamp = endings.clamps.get(unit.output)
            ends_in_float = (clamp or unit).output in endings.in_float
            rewriter.to_int8(unit, unit.op, clamp=clamp, ends_in_float=ends_in_float)
        _replace(originals, units, rewriter)
        remove_argument_qparams(function)


def _require_precision(units: Sequence[Unit]) -> None:
    for unit in units:
        if string_attribute(unit.op, PRECISION) is None:
            raise PassError(
                f"'{unit.op.name}' has no precision",
                where=unit.layer,
                remedy="run quantune-assign-qparams and quantune-assign-precision first",
            )


def _replace(originals: Sequence[ir.Operation], units: Sequence[Unit], rewriter: Rewriter) -> None:
    """Returns the rewritten values and erases the original ops; their constants stay for dead-code removal."""
    *_, terminator = originals
    makers = {unit.output: unit for unit in units}
    results = [
        rewriter.fp32(value, Emitter(makers[value], terminator)) if value in makers else value
        for value in terminator.operands
    ]
    with ir.InsertionPoint(terminator), terminator.location:
        func.ReturnOp(results)
    terminator.erase()
    for unit in reversed(units):
        for op in reversed(unit.ops):
            op.erase()
