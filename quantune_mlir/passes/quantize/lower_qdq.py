"""quantune-lower-qdq.

In:  fp32 TOSA of a model that was quantized by others: clamps with `quantune.qparams` where a tensor is rounded, and
     products whose constants say what they were stored with.
Out: pure TOSA of mixed precision, the forms of quantune-quantize: what reads and makes rounded tensors is computed in
     int8, with the scales that are given; all else stays fp32 between them.

    round(f(x, ...))                        f in int8, requantized        f a product, sum, mean or function
    round(x)                                x brought to other parameters, if it is int8 already
    move(x)                                 of int8; a concatenation after all are brought to one scale
    product of rounded tensors, unrounded   ends in fp32
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.graph.epilogues import ACCUMULATING
from quantune_mlir.graph.lowering import Form, LoweringStep
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer.dot import has_stored_weights
from quantune_mlir.integer.epilogue import End
from quantune_mlir.integer.integer_options import IntegerOptions, RequantizeMode
from quantune_mlir.integer.rewriter import Rewriter, clamp_bounds
from quantune_mlir.integer.unit_emitter import UnitEmitter
from quantune_mlir.mlir.attributes import CONSTANT_QPARAMS, QPARAMS
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_constant
from quantune_mlir.mlir.qparams import from_attribute
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.parameters import QMAX, QMIN, QuantParams
from quantune_mlir.passes.quantize.quantize import return_rewritten
from quantune_mlir.pipeline.base import NetworkPass


@dataclass(frozen=True)
class LowerQdq(NetworkPass):
    """Compute in int8 what a quantized model rounds, with its own scales."""

    name: ClassVar[str] = "quantune-lower-qdq"

    requantize: RequantizeMode = "float"

    def apply_to(self, network: Network) -> None:
        rounded = rounded_values(network)
        if not rounded:
            return
        originals = [op.operation for op in network.block]
        lowering = QdqLowering(network, rounded, self.requantize)
        for unit in network.units:
            lowering.lower(unit)
        return_rewritten(originals, network, lowering.rewriter)


def rounded_values(network: Network) -> dict[ir.Value, QuantParams]:
    """What clamps round, and with which parameters."""
    marks = (unit for unit in network.units if unit.kind is Kind.CLAMP and QPARAMS in unit.op.attributes)
    return {mark.output: from_attribute(mark.op.attributes[QPARAMS]) for mark in marks}


class QdqLowering:
    """Rewrites units in topological order, each before its op; the originals stay."""

    def __init__(
        self,
        network: Network,
        rounded: Mapping[ir.Value, QuantParams],
        requantize: RequantizeMode,
        moved: Mapping[ir.Value, QuantParams] | None = None,
    ) -> None:
        """`moved`: the parameters of int8 tensors that nothing rounds, where such are given to begin with."""
        self._readers = network.readers
        self._rounded = rounded
        self._mode: RequantizeMode = requantize
        self._folded: set[ir.Value] = set()
        params, options = {**(moved or {}), **rounded}, IntegerOptions(requantize=requantize)
        self.rewriter = Rewriter(params, options, shift_after_rounding=True)

    def end_of(self, unit: Unit) -> ir.Value:
        """What a lowered unit makes: the rounded result, if the rounding went into its epilogue."""
        mark = self._mark_behind(unit)
        return mark.output if mark is not None and mark.output in self._folded else unit.output

    def lower(self, unit: Unit) -> None:
        """Emits the form of a unit, by those of its inputs."""
        if unit.output in self._folded:
            return
        if unit.output in self._rounded:
            self._round(unit)
        elif not self._computed_in_int8(unit) and not self._moved_in_int8(unit):
            self._emit(unit, Form.FP32)

    def _emit(self, unit: Unit, form: Form, clamp: Unit | None = None) -> None:
        self.rewriter.emit(LoweringStep(unit, clamp, FP32 if form is Form.FP32 else INT8, form), unit.op)

    def _round(self, mark: Unit) -> None:
        params, emitter = self._rounded[mark.output], UnitEmitter(mark, mark.op)
        source = self.rewriter.given_int8(mark.inputs[0])
        if source is None:
            if self._saturates(mark):
                self.rewriter.round(mark.inputs[0], mark.output, emitter)
            else:
                self._emit(mark, Form.ROUNDED)
        elif source.params == params and self._saturates(mark):
            self.rewriter.alias(mark.output, mark.inputs[0])
        else:
            self._emit(mark, Form.INTEGER)

    def _computed_in_int8(self, unit: Unit) -> bool:
        """Rewrites products, sums, means and functions of int8 tensors. Returns whether `unit` is one."""
        if unit.kind not in ACCUMULATING | {Kind.UNARY} or not self._has_int8_operands(unit):
            return False
        mark = self._mark_behind(unit)
        if mark is None or (unit.kind is Kind.UNARY and not self._saturates(mark)):
            if unit.kind is not Kind.DOT:
                return False
            self._emit(unit, Form.TO_FP32)
            return True
        self._emit(unit, Form.INTEGER, mark)
        self._folded.add(mark.output)
        return True

    def _has_int8_operands(self, unit: Unit) -> bool:
        if not unit.inputs or any(self.rewriter.given_int8(value) is None for value in unit.inputs):
            return False
        if unit.kind is Kind.DOT:
            return not is_constant(unit.op.operands[1]) or has_stored_weights(unit)
        constant = unit.kind is Kind.BINARY and any(is_constant(value) for value in list(unit.op.operands)[:2])
        return not constant or CONSTANT_QPARAMS in unit.op.attributes

    def _moved_in_int8(self, unit: Unit) -> bool:
        """Rewrites moves and concatenations of int8 tensors. Returns whether `unit` is one."""
        sources = [self.rewriter.given_int8(value) for value in unit.inputs]
        given = [source.params for source in sources if source is not None]
        if unit.kind not in (Kind.MOVEMENT, Kind.CONCAT) or not given or len(given) < len(sources):
            return False
        params = given[0]
        mark = self._mark_behind(unit)
        if unit.kind is Kind.CONCAT and mark is not None and self._saturates(mark):
            params = self._rounded[mark.output]
        elif any(other != params for other in given):
            return False
        return self.rewriter.move(unit, unit.op, params)

    def _mark_behind(self, unit: Unit) -> Unit | None:
        """The mark that alone reads a unit's result."""
        readers = self._readers.get(unit.output, [])
        alone = len(list(unit.output.uses)) == 1 and len(readers) == 1
        return readers[0] if alone and readers[0].output in self._rounded else None

    def _saturates(self, mark: Unit) -> bool:
        """Whether a mark's bounds are those of int8: no other clamp was joined with it."""
        end = End(self._rounded[mark.output], clamp_bounds(mark), self._mode)
        return end.integer_clamp() == (QMIN, QMAX)
