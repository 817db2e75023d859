"""Fusion groups that TOSA itself can express: a computing unit and the clamp that alone reads its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.units import Kind, Unit

FUSES_CLAMP: Final = frozenset({Kind.DOT, Kind.BINARY, Kind.MEAN})
"""Kinds that can take a following clamp into their epilogue."""


def readers_of(units: Sequence[Unit]) -> dict[ir.Value, list[Unit]]:
    """The units that read each activation, in order."""
    readers: dict[ir.Value, list[Unit]] = {}
    for unit in units:
        for value in unit.inputs:
            readers.setdefault(value, []).append(unit)
    return readers


def foldable_clamps(units: Sequence[Unit]) -> dict[ir.Value, Unit]:
    """The clamp that each computing unit can fold into its epilogue, by the unit's output."""
    readers = readers_of(units)
    found: dict[ir.Value, Unit] = {}
    for unit in units:
        uses = sum(1 for _ in unit.output.uses)
        mine = readers.get(unit.output, [])
        if unit.kind in FUSES_CLAMP and uses == 1 and mine and mine[0].kind is Kind.CLAMP:
            found[unit.output] = mine[0]
    return found
