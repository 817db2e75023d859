"""The format of ops that decide nothing.

Reshapes, transposes, pools and concatenations have an integer format if all that read them want it, or if their inputs
are made in it and anything reads them in it; otherwise they are fp32. So they never add a boundary that they could
avoid. Clamps that fold into the op before them are what that op is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from quantune_mlir.graph.layers import Layer, is_result
from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.numerics.formats import FP32, NumberFormat, format_named

if TYPE_CHECKING:
    from quantune_mlir.graph.network import Network


def formats(network: Network, planned: Mapping[str, NumberFormat]) -> dict[ir.Value, NumberFormat]:
    """The format of each unit, by its output.

    A layer that computes in integers may hold moves as well, a reshape after a product, say: these follow.

    Args:
        network: the network.
        planned: the layers with a format of their own.
    """
    decided = {
        unit.output: planned[layer.name]
        for layer in network.layers
        if layer.name in planned
        for unit in layer.units
        if not (planned[layer.name].is_integer and layer.computes and unit.kind in SHARING)
    }
    return _follow(network, decided)


def up_to_results(network: Network, formats: Mapping[ir.Value, NumberFormat]) -> dict[ir.Value, NumberFormat]:
    """The same formats where results are returned as they are made: moves of which only results come keep theirs."""
    returned: set[ir.Value] = set()
    for unit in reversed(network.units):
        readers = network.readers.get(unit.output, ())
        wanted = returned.issuperset(reader.output for reader in readers) and (bool(readers) or is_result(unit.output))
        if unit.kind in SHARING and unit.output in network.tensors.groups and wanted:
            returned.add(unit.output)
    found = dict(formats)
    for unit in network.units:
        if unit.output in returned:
            found[unit.output] = _meeting([found.get(value, FP32) for value in unit.inputs])
    return found


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


def deciding_readers(units: Sequence[Unit], layer_making: Mapping[ir.Value, Layer]) -> dict[ir.Value, list[str]]:
    """By activation the deciding layers that read it, or what layers that decide nothing make of it."""
    found: dict[ir.Value, dict[str, None]] = {}
    for unit in reversed(units):
        layer = layer_making.get(unit.output)
        if layer is not None and layer.decides:
            mine = {layer.name: None}
        elif layer is not None and not layer.quantizable:
            mine = {}
        else:
            mine = found.get(unit.output, {})
        for value in unit.inputs:
            found.setdefault(value, {}).update(mine)
    return {value: list(names) for value, names in found.items()}


def _follow(network: Network, decided: Mapping[ir.Value, NumberFormat]) -> dict[ir.Value, NumberFormat]:
    """The formats of all units, given the `decided` ones."""
    wanted: dict[ir.Value, set[NumberFormat]] = {}
    for unit in reversed(network.units):
        value = unit.output
        if value in decided:
            wanted[value] = {decided[value]}
        elif unit.kind not in SHARING or any(v not in network.tensors.groups for v in (*unit.inputs, value)):
            wanted[value] = {FP32}
        else:
            mine = [wanted[reader.output] for reader in network.readers.get(value, ())]
            wanted[value] = set[NumberFormat]().union(*mine) | ({FP32} if is_result(value) or not mine else set())
    made: dict[ir.Value, NumberFormat] = {}
    for unit in network.units:
        value = unit.output
        if value in decided:
            made[value] = decided[value]
            continue
        native = _meeting([made.get(source, FP32) for source in unit.inputs])
        asked = wanted[value]
        if unit.kind is Kind.CLAMP or native in asked:
            made[value] = native
        else:
            made[value] = next(iter(asked)) if len(asked) == 1 else native
    return made


def _meeting(formats: Sequence[NumberFormat]) -> NumberFormat:
    """The format of an op whose inputs have these: the widest, if all are integers, or fp32."""
    widths = [(0 if each.activations is None else each.activations.bits, each.name) for each in formats]
    return FP32 if not min(widths, default=(0, ""))[0] else format_named(max(widths)[1])
