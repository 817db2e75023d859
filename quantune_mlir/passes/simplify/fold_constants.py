"""In: any TOSA module. Out: no op that could be computed now, none that changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import ClassVar

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value, is_constant
from quantune_mlir.mlir.edit import blocks, erase_dead, replace
from quantune_mlir.mlir.tosa.evaluate import evaluate
from quantune_mlir.mlir.tosa.numpy_rules import ignores_nan
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.pipeline.base import Pass


@dataclass(frozen=True)
class FoldConstants(Pass):
    """Compute ops on constants, and drop ops that change nothing."""

    name: ClassVar[str] = "quantune-fold-constants"

    def apply(self, module: ir.Module) -> None:
        for block in list(blocks(module.operation)):
            for view in list(block.operations):
                _fold(view.operation)
        erase_dead(module.operation)


def _fold(op: ir.Operation) -> None:
    if not len(op.operands) or len(op.results) != 1:
        return
    traits = traits_of(op)
    if traits.neutral and op.operands[0].type == op.results[0].type:
        replace(op, op.operands[0])
        return
    if traits.identity is not None and not ignores_nan(op):
        for value, other in permutations(op.operands):
            if value.type == op.results[0].type and _all(other, traits.identity):
                replace(op, value)
                return
    if not all(is_constant(operand) for operand in op.operands):
        return
    result = evaluate(op, [array for operand in op.operands if (array := constant_value(operand)) is not None])
    if result is not None:
        replace(op, constant(result, loc=op.location, ip=ir.InsertionPoint(op)))


def _all(value: ir.Value, number: float) -> bool:
    """Whether a value is a constant whose elements are all this number."""
    array = constant_value(value)
    return array is not None and bool((array == number).all())
