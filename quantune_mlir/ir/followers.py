"""The precision of ops that decide nothing.

Reshapes, transposes, pools and concatenations are int8 if all that read them are int8, or if their inputs are made in
int8 and anything reads them in int8; otherwise they are fp32. So they never add a boundary that they could avoid.
Clamps that fold into the op before them are what that op is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quantune_mlir.ir.fusion import readers_of
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.units import SHARING, Kind, Unit


def follow(units: Sequence[Unit], decided: Mapping[ir.Value, bool], can: frozenset[ir.Value]) -> dict[ir.Value, bool]:
    """Whether each unit runs in int8, by its output.

    Args:
        units: all units, in topological order.
        decided: the units with a precision of their own (True: int8).
        can: outputs of the units that have an int8 form.
    """
    readers = readers_of(units)
    wants_any: dict[ir.Value, bool] = {}
    wants_all: dict[ir.Value, bool] = {}
    for unit in reversed(units):
        value = unit.output
        if value in decided:
            wants_any[value] = wants_all[value] = decided[value]
        elif unit.kind not in SHARING or value not in can:
            wants_any[value] = wants_all[value] = False
        else:
            mine = readers.get(value, [])
            is_result = any(use.owner.operation.name == "func.return" for use in value.uses)
            wants_any[value] = any(wants_any[reader.output] for reader in mine)
            wants_all[value] = bool(mine) and not is_result and all(wants_all[reader.output] for reader in mine)
    made_int8: dict[ir.Value, bool] = {}
    for unit in units:
        value = unit.output
        native = bool(unit.inputs) and all(made_int8.get(source, False) for source in unit.inputs)
        if value in decided:
            made_int8[value] = decided[value]
        elif unit.kind is Kind.CLAMP:
            made_int8[value] = native
        else:
            made_int8[value] = wants_all[value] or (native and wants_any[value])
    return made_int8
