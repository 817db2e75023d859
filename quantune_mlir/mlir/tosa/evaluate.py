"""What TOSA ops compute, in NumPy, with the result in the element type that the op declares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import DTYPES, constant_value
from quantune_mlir.mlir.edit import defining_op
from quantune_mlir.mlir.tosa.numpy_rules import Array
from quantune_mlir.mlir.tosa.traits import traits_of


def evaluate(op: ir.Operation | ir.OpView, operands: Sequence[Array]) -> Array | None:
    """The result of `op` on `operands`, in the element type that `op` declares.

    Elementwise ops take operands of any shapes that broadcast, whatever shape `op` declares: so a layer can be
    evaluated on a table of all its inputs.

    Returns:
        None if the op's row in the table of traits says nothing of it, or its type has no NumPy equivalent.
    """
    op = op.operation
    rule = traits_of(op).evaluate
    if rule is None or len(op.results) != 1:
        return None
    dtype = DTYPES.get(str(getattr(op.results[0].type, "element_type", "")))
    if dtype is None:
        return None
    with np.errstate(all="ignore"):
        return np.asarray(rule(op, list(operands)), dtype)


def rearranged_constant(value: ir.Value) -> Array | None:
    """The array of a constant, or of one whose elements ops only move: where it can be, a view."""
    op = defining_op(value)
    if op is None or traits_of(op).moves is None:
        return constant_value(value)
    arrays = [rearranged_constant(operand) for operand in op.operands]
    known = [array for array in arrays if array is not None]
    return evaluate(op, known) if len(known) == len(arrays) else None
