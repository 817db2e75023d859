"""Who reads what, and which clamps fold into the epilogue of the op before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.tosa.traits import traits_of

ACCUMULATING: Final = frozenset({Kind.DOT, Kind.BINARY, Kind.SLOPES, Kind.MEAN})
"""Kinds with an integer accumulator: a following clamp can join their epilogue, and they can end in fp32."""
_MOST_OPS: Final = 6


def readers_of(units: Sequence[Unit]) -> dict[ir.Value, list[Unit]]:
    """The units that read each activation, in order."""
    readers: dict[ir.Value, list[Unit]] = {}
    for unit in units:
        for value in unit.inputs:
            readers.setdefault(value, []).append(unit)
    return readers


def foldable_clamps(units: Sequence[Unit], readers: Mapping[ir.Value, Sequence[Unit]]) -> dict[ir.Value, Unit]:
    """The clamp that each computing unit can fold into its epilogue, by the unit's output."""
    found: dict[ir.Value, Unit] = {}
    for unit in units:
        uses = sum(1 for _ in unit.output.uses)
        mine = readers.get(unit.output, ())
        if unit.kind in ACCUMULATING and uses == 1 and mine and mine[0].kind is Kind.CLAMP:
            found[unit.output] = mine[0]
    return found


def private_values(
    units: Sequence[Unit], readers: Mapping[ir.Value, Sequence[Unit]], clamps: Mapping[ir.Value, Unit]
) -> set[ir.Value]:
    """The tensors that are rounded to int8 for the one unit that reads them: if that were fp32, they would not be.

    They are results of accumulators, of clamps that fold into these, or of moves of such.
    """
    found: set[ir.Value] = set()
    for unit in units:
        end = clamps.get(unit.output, unit).output
        moves = unit.kind in SHARING and found.issuperset(unit.inputs)
        if (unit.kind in ACCUMULATING or moves) and len(readers.get(end, ())) == 1:
            found.add(end)
    return found


def is_piecewise_linear(unit: Unit) -> bool:
    """Whether a unit is a function made of a few cheap fp32 ops."""
    return (
        unit.kind in (Kind.UNARY, Kind.SLOPES)
        and len(unit.ops) <= _MOST_OPS
        and all(traits_of(op).cost == "cheap" for op in unit.ops)
    )
