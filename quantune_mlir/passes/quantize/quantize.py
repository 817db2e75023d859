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

from quantune_mlir.graph.lowering import lowering_steps
from quantune_mlir.graph.network import Network
from quantune_mlir.integer.emitter import Emitter
from quantune_mlir.integer.options import Granularity, IntegerOptions, RequantizeMode
from quantune_mlir.integer.rewriter import Rewriter
from quantune_mlir.mlir.bindings import func, ir
from quantune_mlir.mlir.qparams import read_qparams, remove_argument_qparams
from quantune_mlir.numerics.schemes import Scheme
from quantune_mlir.passes.quantize.assign_precision import annotated_formats
from quantune_mlir.pipeline.base import NetworkPass


@dataclass(frozen=True)
class Quantize(NetworkPass):
    """Rewrite planned fp32 TOSA into mixed int8/fp32 TOSA."""

    name: ClassVar[str] = "quantune-quantize"

    weights: Granularity = IntegerOptions.weights
    scheme: Scheme = IntegerOptions.scheme
    requantize: RequantizeMode = IntegerOptions.requantize

    def apply_to(self, network: Network) -> None:
        rewriter = Rewriter(read_qparams(network.function), IntegerOptions(self.weights, self.scheme, self.requantize))
        originals = [op.operation for op in network.block]
        for step in lowering_steps(network, annotated_formats(network), float_epilogues=self.requantize == "float"):
            rewriter.emit(step, step.unit.op)
        return_rewritten(originals, network, rewriter)
        remove_argument_qparams(network.function)


def return_rewritten(originals: Sequence[ir.Operation], network: Network, rewriter: Rewriter) -> None:
    """Returns the rewritten values and erases the original ops; their constants stay for dead-code removal."""
    *_, terminator = originals
    makers = network.makers
    results = [
        rewriter.fp32(value, Emitter(makers[value], terminator)) if value in makers else value
        for value in terminator.operands
    ]
    with ir.InsertionPoint(terminator), terminator.location:
        func.ReturnOp(results)
    terminator.erase()
    for unit in reversed(network.units):
        for op in reversed(unit.ops):
            op.erase()
