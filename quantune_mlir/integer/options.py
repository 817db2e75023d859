"""What shapes every int8 form, apart from the ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from quantune_mlir.numerics.schemes import Scheme

Granularity = Literal["per-channel", "per-tensor"]
RequantizeMode = Literal["integer", "float"]


@dataclass(frozen=True)
class IntegerOptions:
    """How weights are quantized and accumulators requantized.

    `exact_fp32` computes convolutions on integers held in fp32 wherever no sum can reach 2^24, so that the result is
    the same to the bit. Stock IREE is quicker at that; it is for programs that measure, not for those that ship.
    """

    weights: Granularity = "per-channel"
    scheme: Scheme = Scheme.ASYMMETRIC
    requantize: RequantizeMode = "float"
    exact_fp32: bool = False
