"""How an int8 accumulator ends: in a clamp that folds into its epilogue, in int8, or in fp32."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.tosa.traits import traits_of

ACCUMULATING: Final = frozenset({Kind.DOT, Kind.BINARY, Kind.MEAN})
"""Kinds with an i32 accumulator: a following clamp can join their epilogue, and they can end in fp32."""
_MOST_OPS: Final = 6


@dataclass(frozen=True)
class Endings:
    """How the int8 units of a function end.

    `clamps` has the int8 clamp that folds into a unit, by the unit's output; `in_float` the outputs, of units or of
    clamps folded into them, that only fp32 ops read: there the accumulator becomes fp32 without being rounded to int8.
    `functions` has the outputs of int8 functions that are such readers: they are computed in fp32 on the accumulator,
    and only their result is rounded.
    """

    clamps: dict[ir.Value, Unit]
    in_float: frozenset[ir.Value]
    functions: frozenset[ir.Value]


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
        if unit.kind in ACCUMULATING and uses == 1 and mine and mine[0].kind is Kind.CLAMP:
            found[unit.output] = mine[0]
    return found


def find_endings(units: Sequence[Unit], in_int8: Set[ir.Value], *, float_epilogues: bool) -> Endings:
    """The endings of a function in which the units with outputs `in_int8` are int8.

    Args:
        units: all units, in topological order.
        in_int8: outputs of the int8 units.
        float_epilogues: whether an epilogue may compute in fp32, so that piecewise linear functions (leaky relu, hard
            swish) join it instead of becoming tables.
    """
    readers = readers_of(units)
    clamps = {
        value: clamp for value, clamp in foldable_clamps(units).items() if value in in_int8 and clamp.output in in_int8
    }

    def reads_fp32(reader: Unit) -> bool:
        return reader.output not in in_int8 or (float_epilogues and is_piecewise_linear(reader))

    ends = (clamps.get(u.output, u).output for u in units if u.kind in ACCUMULATING and u.output in in_int8)
    in_float = frozenset(end for end in ends if all(reads_fp32(reader) for reader in readers.get(end, [])))
    functions = (r.output for end in in_float for r in readers.get(end, []) if r.output in in_int8)
    return Endings(clamps, in_float, frozenset(functions))


def private_values(units: Sequence[Unit]) -> set[ir.Value]:
    """The tensors that are rounded to int8 for the one unit that reads them: if that were fp32, they would not be.

    They are results of accumulators, of clamps that fold into these, or of moves of such.
    """
    clamps = foldable_clamps(units)
    readers = readers_of(units)
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
        unit.kind is Kind.UNARY and len(unit.ops) <= _MOST_OPS and all(traits_of(op).cost == "cheap" for op in unit.ops)
    )
