"""Accumulators of i48, and which of them need no more than 32 bits."""

from __future__ import annotations

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import element_of
from quantune_mlir.mlir.tosa.evaluate import rearranged_constant
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.numerics.accumulators import excess_bits, largest_sum
from quantune_mlir.numerics.formats import INT16_ACTIVATIONS


def fits_int32(op: ir.Operation) -> bool:
    """Whether no sum of a convolution of i16 by constant i8, with its bias, exceeds 32 bits."""
    kind = traits_of(op).weights
    if kind is None or not kind.bias or element_of(op.operands[0]) != "i16":
        return False
    weights, bias = (rearranged_constant(op.operands[position]) for position in (1, 2))
    if weights is None or bias is None or weights.dtype != np.int8:
        return False
    if kind.depthwise:
        weights = weights.reshape(*weights.shape[:2], -1)
    return excess_bits(largest_sum(weights, bias, kind.channel_axis, -INT16_ACTIVATIONS.minimum)) == 0
