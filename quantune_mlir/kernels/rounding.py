"""Rounding f32 results to i8 with an instruction set's own means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quantune_mlir.ir.mlir import ir


@dataclass(frozen=True)
class Rounding:
    """Makes integers of f32 results, half to even; they are saturated to i8 when they are narrowed."""

    limit: float
    """It is right for smaller magnitudes only."""
    round: Callable[[ir.Value], ir.Value]
    """f32 to i32."""
