"""Ops of other dialects that makers leave among TOSA's, as TOSA."""

from __future__ import annotations

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, elements_array
from quantune_mlir.mlir.edit import is_static_tensor, replace, shape_of
from quantune_mlir.mlir.tosa.build import reshape

_RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")


def rewrite_to_tosa(block: ir.Block) -> None:
    """Constants of arith and reshapes of tensor become TOSA ops."""
    for view in list(block.operations):
        op = view.operation
        if op.name == "arith.constant" and is_static_tensor(op.results[0]):
            replace(op, constant(np.array(elements_array(op.attributes["value"])), loc=op.location, ip=_before(op)))
        elif op.name in _RESHAPES and is_static_tensor(op.results[0]):
            with op.location, _before(op):
                replace(op, reshape(op.operands[0], shape_of(op.results[0])))


def _before(op: ir.Operation) -> ir.InsertionPoint:
    return ir.InsertionPoint(op)
