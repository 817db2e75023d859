"""From results to i8 with an instruction set's own means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.mlir.bindings import ir

NARROWED: Final = 4
"""Vectors of 32-bit elements that are narrowed to one of i8."""


@dataclass(frozen=True)
class Rounding:
    """Makes integers of f32 results, half to even; they are saturated to i8 when they are narrowed."""

    limit: float
    """It is right for smaller magnitudes only."""
    round: Callable[[ir.Value], ir.Value]
    """f32 to i32."""


@dataclass(frozen=True)
class Narrowing:
    """Makes i8 of the results of neighbouring vectors, together."""

    rounding: Rounding
    narrow: Callable[[Sequence[ir.Value]], ir.Value]
    """NARROWED vectors of i32 as one of i8 in the same order, saturated."""
