"""The precision of ops that decide nothing: reshapes, transposes, pools, concatenations.

Such an op is int8 if all that read it are int8, or if its inputs are made in int8 and anything reads it in int8;
otherwise it is fp32. So it never adds a boundary that it could avoid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.units import SHARING, Unit


def follow(units: Sequence[Unit], decided: Mapping[ir.Value, bool], can: frozenset[ir.Value]) -> dict[ir.Value, bool]:
    """Whether each unit runs in int8, by its output.

    Args:
        units: all units, in topological order.
        decided: the units with a precision of their own (True: int8).
        can: outputs of the units that have an int8 form.
    """
    readers: dict[ir.Value, list[Unit]] = {}
    for unit in units:
        for value in unit.inputs:
            readers.setdefault(value, []).append(unit)
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
        made_int8[value] = decided.get(value, wants_all[value] or (native and wants_any[value]))
    return made_int8
