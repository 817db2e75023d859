"""The precision of ops that decide nothing.

Reshapes, transposes, pools and concatenations are int8 if all that read them are int8, or if their inputs are made in
int8 and anything reads them in int8; otherwise they are fp32. So they never add a boundary that they could avoid.
Clamps that fold into the op before them are what that op is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quantune_mlir.graph.epilogues import readers_of
from quantune_mlir.graph.layers import Layer, is_result
from quantune_mlir.graph.tensors import Tensors
from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.mlir.bindings import ir


def all_int8(units: Sequence[Unit], layers: Sequence[Layer], tensors: Tensors) -> dict[ir.Value, bool]:
    """Whether each unit runs in int8, by its output, where every layer that can does."""
    planned = {layer.name: layer.quantizable for layer in layers if layer.decides or not layer.quantizable}
    return precisions(units, layers, planned, tensors)


def precisions(
    units: Sequence[Unit], layers: Sequence[Layer], planned: Mapping[str, bool], tensors: Tensors
) -> dict[ir.Value, bool]:
    """Whether each unit runs in int8, by its output.

    A layer that computes in int8 may hold moves as well, a reshape after a product, say: these follow.

    Args:
        units: all units, in topological order.
        layers: the layers that they form.
        planned: the layers with a precision of their own (True: int8).
        tensors: which values can be int8.
    """
    decided = {
        unit.output: planned[layer.name]
        for layer in layers
        if layer.name in planned
        for unit in layer.units
        if not (planned[layer.name] and layer.computes and unit.kind in SHARING)
    }
    return _follow(units, decided, tensors)


def owners(layers: Sequence[Layer]) -> dict[str, str]:
    """By layer the deciding layer whose precision it has: itself, or the nearest one before it; else ""."""
    made_by: dict[ir.Value, str] = {}
    found: dict[str, str] = {}
    for layer in layers:
        owner = layer.name if layer.decides else next((made_by[v] for v in layer.inputs if v in made_by), "")
        if not layer.quantizable:
            owner = ""
        found[layer.name] = owner
        if owner:
            made_by.update(dict.fromkeys((unit.output for unit in layer.units), owner))
    return found


def deciding_readers(units: Sequence[Unit], layers: Sequence[Layer]) -> dict[ir.Value, list[str]]:
    """By activation the deciding layers that read it, or what layers that decide nothing make of it."""
    deciding = {unit.output: layer for layer in layers for unit in layer.units}
    found: dict[ir.Value, dict[str, None]] = {}
    for unit in reversed(units):
        layer = deciding.get(unit.output)
        if layer is not None and layer.decides:
            mine = {layer.name: None}
        elif layer is not None and not layer.quantizable:
            mine = {}
        else:
            mine = found.get(unit.output, {})
        for value in unit.inputs:
            found.setdefault(value, {}).update(mine)
    return {value: list(names) for value, names in found.items()}


def _follow(units: Sequence[Unit], decided: Mapping[ir.Value, bool], tensors: Tensors) -> dict[ir.Value, bool]:
    """The precisions of all units, given the `decided` ones."""
    readers = readers_of(units)
    wants_any: dict[ir.Value, bool] = {}
    wants_all: dict[ir.Value, bool] = {}
    for unit in reversed(units):
        value = unit.output
        if value in decided:
            wants_any[value] = wants_all[value] = decided[value]
        elif unit.kind not in SHARING or any(v not in tensors.groups for v in (*unit.inputs, value)):
            wants_any[value] = wants_all[value] = False
        else:
            mine = readers.get(value, [])
            wants_any[value] = any(wants_any[reader.output] for reader in mine)
            wants_all[value] = bool(mine) and not is_result(value) and all(wants_all[reader.output] for reader in mine)
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
