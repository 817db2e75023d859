"""What shapes every int8 form, apart from the ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from quantune_mlir.numerics.schemes import DEFAULT_SCHEME, Scheme

Granularity = Literal["per-channel", "per-tensor"]
RequantizeMode = Literal["integer", "float"]
Boundary = Literal["fp32", "int8"]
"""What a network's inputs and outputs are."""


@dataclass(frozen=True)
class IntegerOptions:
    """How weights are quantized and accumulators requantized."""

    weights: Granularity = "per-channel"
    scheme: Scheme = DEFAULT_SCHEME
    requantize: RequantizeMode = "float"
