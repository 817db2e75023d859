"""A function of TOSA ops cut between tensors, and its inputs pinned to constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.common.edits import Edits, pinned_value
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import DTYPES, constant
from quantune_mlir.mlir.edit import users


def cut(
    block: ir.Block,
    tensors: Mapping[str, ir.Value],
    names: tuple[Sequence[str], Sequence[str]],
    edits: Edits,
    where: str,
) -> tuple[list[str], list[str]]:
    """Apply edits to the body of a function; return what its inputs and outputs are called then.

    Args:
        block: the body, which ends in a return.
        tensors: values by name.
        names: of the inputs and outputs, before.
        edits: what to change.
        where: what to call the file in errors.

    Raises:
        ModelError: there is no such input or tensor, a value does not fit, or the part needs other inputs too.
    """
    inputs, outputs = list(names[0]), list(names[1])
    end = block.operations[len(block.operations) - 1].operation
    known = {**tensors, **dict(zip(inputs, block.arguments, strict=True))}
    for name in (*edits.inputs, *edits.outputs):
        if name not in known:
            raise ModelError(
                f"there is no tensor {name!r}", where=where, remedy="give names of tensors, as Netron shows them"
            )
    if edits.outputs:
        end = _return(end, [known[name] for name in edits.outputs])
        outputs = list(edits.outputs)
    if edits.inputs:
        _begin_at(block, known, inputs, edits, where)
        inputs = [*inputs, *(name for name in edits.inputs if name not in inputs)]
    for name, value in edits.constants.items():
        if name not in inputs:
            raise ModelError(
                f"there is no input {name!r} to pin", where=where, remedy=f"the inputs are {', '.join(inputs)}"
            )
        argument = block.arguments[inputs.index(name)]
        kind = ir.RankedTensorType(argument.type)
        array = pinned_value(name, value, DTYPES[str(kind.element_type)], kind.shape)
        argument.replace_all_uses_with(constant(array, ip=ir.InsertionPoint.at_block_begin(block)))
    if edits:
        inputs = _without_unread(block, end, inputs)
    return inputs, outputs


def _return(end: ir.Operation, values: Sequence[ir.Value]) -> ir.Operation:
    changed = ir.Operation.create("func.return", operands=list(values), loc=end.location, ip=ir.InsertionPoint(end))
    end.erase()
    return changed


def _begin_at(block: ir.Block, known: Mapping[str, ir.Value], inputs: Sequence[str], edits: Edits, where: str) -> None:
    """Let new arguments stand for the tensors at which the part begins."""
    for name in edits.inputs:
        if name not in inputs:
            argument = block.add_argument(known[name].type, ir.Location.unknown())
            known[name].replace_all_uses_with(argument)
    needed = _sources(block)
    missing = [
        name
        for number, name in enumerate(inputs)
        if name not in edits.inputs and name not in edits.constants and block.arguments[number] in needed
    ]
    if missing:
        raise ModelError(
            f"what leads to the outputs needs the input {missing[0]!r} too",
            where=where,
            remedy="name each tensor at which the part begins in --inputs, and no other",
        )


def _sources(block: ir.Block) -> set[ir.Value]:
    """Every value that the results are computed from."""
    pending, found = list(block.operations[len(block.operations) - 1].operands), set[ir.Value]()
    while pending:
        value = pending.pop()
        if value not in found:
            found.add(value)
            pending += [] if isinstance(value.owner, ir.Block) else list(value.owner.operands)
    return found


def _without_unread(block: ir.Block, end: ir.Operation, inputs: Sequence[str]) -> list[str]:
    """Erase the arguments that nothing reads any more, once what nobody needs is gone; the names of the others."""
    needed = _sources(block)
    for view in reversed(list(block.operations)):
        op = view.operation
        if op != end and not any(result in needed for result in op.results):
            op.erase()
    kept: list[str] = []
    for number in reversed(range(len(inputs))):
        if users(block.arguments[number]):
            kept.append(inputs[number])
        else:
            block.erase_argument(number)
    return kept[::-1]
