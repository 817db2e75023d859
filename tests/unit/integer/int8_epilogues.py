"""How int8 accumulators end, told once more for the tests: from the uses of each result, one by one."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.mlir.bindings import ir

BENT_LINES = {"abs", "add", "clamp", "greater", "greater_equal", "maximum", "minimum", "mul", "select", "sub"}


@dataclass
class Epilogues:
    """`clamps`: by a unit's output, the clamp in its epilogue; `in_float`: what stays fp32; `functions`: on such."""

    clamps: dict[ir.Value, Unit] = field(default_factory=dict)
    in_float: set[ir.Value] = field(default_factory=set)
    functions: set[ir.Value] = field(default_factory=set)


def epilogues_of(units: Sequence[Unit], in_int8: Set[ir.Value], *, float_epilogues: bool) -> Epilogues:
    """Those of a function whose units with outputs `in_int8` are int8."""
    of_op = {op: unit for unit in units for op in unit.ops}
    found = Epilogues()
    for unit in units:
        if unit.output not in in_int8 or unit.kind not in (Kind.DOT, Kind.BINARY, Kind.SLOPES, Kind.MEAN):
            continue
        uses = [use.owner.operation for use in unit.output.uses]
        end = unit.output
        if len(uses) == 1 and uses[0] in of_op:
            after = of_op[uses[0]]
            if after.kind is Kind.CLAMP and after.output in in_int8:
                found.clamps[unit.output] = after
                end = after.output
        readers = [of_op[op] for use in end.uses if (op := use.owner.operation) in of_op]
        on_accumulator = [r for r in readers if r.output in in_int8 and float_epilogues and _is_bent_line(r)]
        if all(reader.output not in in_int8 or reader in on_accumulator for reader in readers):
            found.in_float.add(end)
            found.functions |= {reader.output for reader in on_accumulator}
    return found


def _is_bent_line(unit: Unit) -> bool:
    names = {op.name.removeprefix("tosa.") for op in unit.ops}
    return unit.kind in (Kind.UNARY, Kind.SLOPES) and len(unit.ops) < 7 and names <= BENT_LINES
