"""Vectors while they are computed with: what they stand for, and between which bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final

from quantune_mlir.kernels.emit.byte_tables import ByteTables
from quantune_mlir.mlir.bindings import arith, ir

_ROUNDING: Final = 1e-6
"""More than the relative error of an f32 operation."""


@dataclass(frozen=True)
class Lanes:
    """A vector that stands for a part of a tensor."""

    value: ir.Value
    low: float = -inf
    high: float = inf
    """Bounds that the values are known to keep."""
    rounded: ir.Value | None = None
    """For an integer that comes from an f32: the same numbers as f32, before anything was narrowed."""
    factors: tuple[ir.Value, ir.Value] | None = None
    """For a product of f32: what was multiplied. A sum that follows becomes a fused multiply-add."""


@dataclass(frozen=True)
class Context:
    """What the functions need besides their operands."""

    lanes: int
    scalar: Callable[[ir.Operation, str], ir.Value]
    """A numeric attribute of an op, in every lane."""
    buffers: Mapping[ir.Value, ir.Value]
    """The buffers of tables."""
    tables: ByteTables | None
    """How entries of a table of an i8 are found."""


def product_bounds(a: Lanes, b: Lanes) -> tuple[float, float]:
    """The bounds of an f32 product, rounding included."""
    if not all(map(isfinite, (a.low, a.high, b.low, b.high))):
        return -inf, inf
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return _widened(min(corners), max(corners))


def sum_bounds(a: Lanes, b: Lanes) -> tuple[float, float]:
    """The bounds of an f32 sum, rounding included."""
    return _widened(a.low + b.low, a.high + b.high)


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = _ROUNDING * max(abs(low), abs(high)) if isfinite(low) and isfinite(high) else 0.0
    return low - margin, high + margin


Choice = Callable[[ir.Value, ir.Value], ir.Value]


def larger(a: ir.Value, b: ir.Value) -> ir.Value:
    """max(a, b) of f32 lanes as one instruction: b where they are unordered."""
    return arith.SelectOp(arith.CmpFOp(arith.CmpFPredicate.OGT, a, b).result, a, b).result


def smaller(a: ir.Value, b: ir.Value) -> ir.Value:
    """min(a, b) of f32 lanes as one instruction: b where they are unordered."""
    return arith.SelectOp(arith.CmpFOp(arith.CmpFPredicate.OLT, a, b).result, a, b).result


def with_nan(choose: Choice, a: ir.Value, b: ir.Value) -> ir.Value:
    """What `larger` or `smaller` chooses, NaN where one of the two is."""
    return arith.SelectOp(_is_nan(a), a, choose(a, b)).result


def number_of(choose: Choice, a: ir.Value, b: ir.Value) -> ir.Value:
    """What `larger` or `smaller` chooses, the other one where one of the two is NaN."""
    return arith.SelectOp(_is_nan(b), a, choose(a, b)).result


def _is_nan(value: ir.Value) -> ir.Value:
    return arith.CmpFOp(arith.CmpFPredicate.UNO, value, value).result
