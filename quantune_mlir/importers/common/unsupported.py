"""Ops of a foreign module that cannot be taken, all in one error, which says at which tensors to cut the model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from quantune_mlir.errors import UnsupportedNode, UnsupportedOperatorsError
from quantune_mlir.importers.common.foreign_ops import refusal
from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import users

_PLACE: Final = re.compile(r'loc\("(.*)":(\d+):\d+\)')


def refuse_unsupported(block: ir.Block, tensors: Mapping[str, ir.Value], where: str) -> None:
    """Raise if some ops cannot be taken.

    Args:
        block: the body of a function, labelled.
        tensors: values by the names at which the user may cut.
        where: what to call the file.

    Raises:
        UnsupportedOperatorsError: one entry for each layer with an op that is refused.
    """
    found: dict[str, UnsupportedNode] = {}
    refused: list[ir.Operation] = []
    for view in block.operations:
        op = view.operation
        if (reason := refusal(op)) is not None:
            refused.append(op)
            layer, kind = _text(op, LAYER) or op.name, _text(op, OP) or op.name
            found.setdefault(layer, UnsupportedNode(layer, kind, reason + _line(op, where)))
    if found:
        names = _last_good(block, refused, tensors)
        cut = f"cut the model before them: --outputs {','.join(names)}; or " if names else ""
        raise UnsupportedOperatorsError(list(found.values()), where=where, remedy=f"{cut}rewrite these operators")


def _last_good(block: ir.Block, refused: Sequence[ir.Operation], tensors: Mapping[str, ir.Value]) -> list[str]:
    """The tensors that what is refused, or depends on such, reads; and the outputs that do not depend on it."""
    blocked = {result for op in refused for result in op.results}
    computed = set[ir.Value](block.arguments)
    for view in block.operations:
        op = view.operation
        for reached in (blocked, computed):
            if any(operand in reached for operand in op.operands):
                reached.update(op.results)
    names = {value: name for name, value in tensors.items() if name and "," not in name and value in computed - blocked}
    made = (value for view in block.operations for value in view.operation.results)
    return [names[v] for v in made if v in names and any(_is_beyond(reader, blocked) for reader in users(v))]


def _is_beyond(reader: ir.Operation, blocked: set[ir.Value]) -> bool:
    return not len(reader.results) or any(result in blocked for result in reader.results)


def _line(op: ir.Operation, where: str) -> str:
    """Where in the file an op stands that has no name of its own there."""
    place = _PLACE.fullmatch(str(op.location))
    return f", line {place[2]}" if place is not None and place[1] == where else ""


def _text(op: ir.Operation, attribute: str) -> str | None:
    return ir.StringAttr(op.attributes[attribute]).value if attribute in op.attributes else None
