"""Single ops of modules that other compilers wrote: which are refused, which are written otherwise here."""

from __future__ import annotations

from typing import Final

import numpy as np

from quantune_mlir.importers.common.masks import finite_mask, is_mask
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONST, check_shape, constant, constant_value
from quantune_mlir.mlir.edit import defining_op, is_static_tensor, replace

_COMPUTED_IN: Final = frozenset({"f32", "i1", "i8", "i16", "i32", "i64"})
_LARGEST: Final = float(np.finfo(np.float32).max)
_DIALECT: Final = "tosa."
_MASKED: Final = ("add", "sub", "select")
"""Ops whose constants may be masks."""


def refusal(op: ir.Operation) -> str | None:
    """Why an op cannot be taken; None where it can."""
    if op.name == "func.return":
        return None
    if op.name == "tosa.custom":
        return f"custom operator {ir.StringAttr(op.attributes['operator_name']).value}"
    if not op.name.startswith(_DIALECT):
        return f"{op.name} is no TOSA op"
    if len(op.regions):
        return f"{op.name} is control flow"
    if op.name.startswith("tosa.variable"):
        return "state that one run leaves to the next"
    for value in (*op.operands, *op.results):
        if isinstance(value.type, ir.RankedTensorType):
            kind = ir.RankedTensorType(value.type)
            if str(kind.element_type) not in _COMPUTED_IN:
                return f"element type {kind.element_type}"
            if not kind.has_static_shape:
                return f"the shape {kind} is not static"
            try:
                check_shape(kind.shape)
            except ValueError as error:
                return str(error)
        elif isinstance(value.type, ir.UnrankedTensorType):
            return f"the shape of {value.type} is not known"
    return None


def widened_constant(op: ir.Operation) -> None:
    """Replace a cast of a constant of f16 or f64 to fp32 by that constant in fp32."""
    if op.name != "tosa.cast" or str(op.results[0].type.element_type) != "f32":
        return
    source = defining_op(op.operands[0], CONST)
    array = None if source is None else constant_value(source.results[0])
    if array is not None and array.dtype.kind == "f" and array.dtype != np.float32:
        with np.errstate(over="ignore"):
            replace(op, constant(array.astype(np.float32), loc=op.location, ip=ir.InsertionPoint(op)))


def static_value(op: ir.Operation) -> None:
    """Replace a cast of a tensor of static shape to a dynamic one by the tensor."""
    if op.name == "tensor.cast" and is_static_tensor(op.operands[0]):
        replace(op, op.operands[0])


def bounded_masks(op: ir.Operation) -> None:
    """Let no constant that is added or chosen be infinite; see `masks`."""
    if op.name.removeprefix(_DIALECT) in _MASKED:
        for number, operand in enumerate(op.operands):
            array = constant_value(operand)
            if array is not None and is_mask(array):
                op.operands[number] = constant(finite_mask(array), loc=op.location, ip=ir.InsertionPoint(op))


def unbounded_clamp(op: ir.Operation) -> None:
    """Write a bound of a clamp that is the largest number of fp32 as infinity, as this project's own clamps have it."""
    if op.name != "tosa.clamp" or str(op.results[0].type.element_type) != "f32":
        return
    for name in ("min_val", "max_val"):
        bound = ir.FloatAttr(op.attributes[name])
        if abs(bound.value) >= _LARGEST:
            op.attributes[name] = ir.FloatAttr.get(bound.type, float(np.copysign(np.inf, bound.value)))


def single_rounding(op: ir.Operation) -> None:
    """Let a rescale round once, as all do here.

    Rounding twice needs an extension of TOSA; it differs by one where the first of both roundings makes a half of what
    is a little less. Source: TOSA specification, apply_scale_32.
    """
    if op.name == "tosa.rescale" and "DOUBLE_ROUND" in str(op.attributes["rounding_mode"]):
        op.attributes["rounding_mode"] = ir.Attribute.parse("#tosa.rounding_mode<SINGLE_ROUND>")
