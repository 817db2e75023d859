"""Depthwise convolutions: one kernel for i8 inputs, one for i16 and f32."""

from __future__ import annotations

from quantune_mlir.kernels.emit.executable import Library
from quantune_mlir.kernels.families import depthwise_direct, depthwise_int8
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.isa.int16 import in_lanes
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import element_of
from quantune_mlir.mlir.tosa.wide_accumulators import fits_int32


def lower(group: Group, isa: Isa, library: Library) -> ir.Value | None:
    """Dispatch the kernel of a depthwise group at the current point; None if there is none for it."""
    root = group.root
    assert root is not None
    weights = constant_value(root.operands[1])
    if weights is None or weights.shape[3] != 1 or constant_value(root.operands[2]) is None:
        return None
    element = element_of(root.operands[0])
    if element == "i8":
        return depthwise_int8.lower(group, isa, library)
    if element == "f32":
        return depthwise_direct.lower(group, isa.fp32, isa.tables, library)
    if element == "i16" and fits_int32(root):
        return depthwise_direct.lower(group, in_lanes(isa), isa.tables, library)
    return None
