"""Which tensors are profiled, what they are called, and which share quantization parameters.

A tensor is a *root* if its values are new: a graph input, or the output of a unit that computes. Outputs of units that
only move, select or concatenate values share the parameters of the roots that they come from. The result of a unit that
a clamp folds into has the parameters of the clamp's: it is never int8 by itself, and saturation is the clamp.

A concatenation that only the network's result reads has no int8 form, and is no reason for what it joins to share
parameters: boxes of hundreds beside scores below one.

Names: the layer's name, `layer:k` from the second root of one layer on, and `%input` for the graph input `input`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.mlir.attributes import LAYER, NAME, string_attribute
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant, is_float
from quantune_mlir.mlir.function import entry_block


@dataclass(frozen=True)
class Tensors:
    """The profiled tensors of a function and the sharing among all its activations."""

    names: dict[ir.Value, str]
    """Root tensor -> name, in graph order."""
    groups: dict[ir.Value, tuple[ir.Value, ...]]
    """Activation -> the roots whose values it may hold, in graph order. Absent: no int8 form."""


def find_tensors(function: ir.Operation, units: Sequence[Unit], clamps: Mapping[ir.Value, Unit]) -> Tensors:
    """Names the roots of `function` and groups the values that share parameters with them.

    `clamps` are those that fold, see epilogues.py.
    """
    arguments = [value for value in entry_block(function).arguments if is_float(value)]
    names = {value: f"%{name}" for value, name in zip(arguments, argument_names(function), strict=False)}
    taken = {unit.layer for unit in units}
    shared = {value for unit in units if unit.kind in SHARING for value in unit.inputs}
    seen: dict[str, int] = {}
    for unit in units:
        if unit.output in clamps:
            continue
        if unit.layer and unit.kind not in SHARING and _is_observable(unit, shared):
            count = seen.get(unit.layer, 0)
            while count and f"{unit.layer}:{count}" in taken:
                count += 1
            names[unit.output] = unit.layer if count == 0 else f"{unit.layer}:{count}"
            seen[unit.layer] = count + 1
    groups = _share(names, units)
    folded = {value: groups[clamp.output] for value, clamp in clamps.items() if clamp.output in groups}
    return Tensors(names, groups | folded)


def joined_constants(unit: Unit) -> dict[ir.Value, NDArray[np.float32]]:
    """The fp32 constants whose values a pad or concatenation puts beside those of its inputs."""
    if unit.kind not in SHARING:
        return {}
    arrays = {operand: constant_value(operand) for operand in unit.op.operands if is_constant(operand)}
    return {operand: a for operand, a in arrays.items() if a is not None and a.dtype == np.float32}


def argument_names(function: ir.Operation) -> list[str]:
    """The model's own names of the fp32 graph inputs, in order."""
    arguments = entry_block(function).arguments
    attributes = ir.ArrayAttr(function.attributes["arg_attrs"]) if "arg_attrs" in function.attributes else []
    names = [f"arg{i}" for i in range(len(arguments))]
    for i, attribute in enumerate(attributes):
        dictionary = ir.DictAttr(attribute)
        if NAME in dictionary:
            names[i] = ir.StringAttr(dictionary[NAME]).value
    return [name for name, value in zip(names, arguments, strict=True) if is_float(value)]


def _is_observable(unit: Unit, shared: Set[ir.Value]) -> bool:
    """FP32 results, without those that only other computing ops of the same fp32-only layer see."""
    if not is_float(unit.output):
        return False
    if unit.kind is not Kind.FLOAT or unit.fp32_only is not None or unit.output in shared:
        return True
    return any(string_attribute(use.owner.operation, LAYER) != unit.layer for use in unit.output.uses)


def _share(roots: Iterable[ir.Value], units: Sequence[Unit]) -> dict[ir.Value, tuple[ir.Value, ...]]:
    order = {root: index for index, root in enumerate(roots)}
    parent: dict[ir.Value, ir.Value] = {}

    def find(value: ir.Value) -> ir.Value:
        while value in parent:
            value = parent[value]
        return value

    def union(a: ir.Value, b: ir.Value) -> None:
        a, b = find(a), find(b)
        if a != b:
            parent[b] = a

    members: dict[ir.Value, None] = dict.fromkeys(order)
    closing = _of_closing_concatenations(units)
    for unit in units:
        if unit.kind in SHARING and unit.output not in closing:
            for value in unit.inputs:
                if is_float(value) and not is_constant(value):
                    members[value] = members[unit.output] = None
                    union(value, unit.output)
    group_roots: dict[ir.Value, list[ir.Value]] = {}
    for root in order:
        group_roots.setdefault(find(root), []).append(root)
    return {value: tuple(group_roots[find(value)]) for value in members if find(value) in group_roots}


def _of_closing_concatenations(units: Sequence[Unit]) -> set[ir.Value]:
    """The results of concatenations that are only moved on their way to the network's results, and of these moves."""
    moves = {unit.op: unit for unit in units if unit.kind in (Kind.MOVEMENT, Kind.CONCAT)}
    closing: set[ir.Value] = set()
    for unit in reversed(units):
        users = [use.owner.operation for use in unit.output.uses]
        if (
            unit.op in moves
            and users
            and all(user.name == "func.return" or (user in moves and moves[user].output in closing) for user in users)
        ):
            closing.add(unit.output)
    found: set[ir.Value] = set()
    for unit in units:
        if unit.output in closing and (unit.kind is Kind.CONCAT or not found.isdisjoint(unit.inputs)):
            found.add(unit.output)
    return found
