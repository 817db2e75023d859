"""State that one run of a model leaves to the next: made inputs and outputs of its network, in the file's data.

A streaming model keeps what it heard in variables, which its network reads and assigns. A program here has no memory:
variables become inputs, of what the run before left, and outputs, of what this one leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.tflite.flatbuffer import BrokenBuffer, FlatTable
from quantune_mlir.importers.tflite.model_file import INPUTS, OPERATORS, OUTPUTS, ModelFile, OperatorInfo, TensorInfo

HANDLE, READ, ASSIGN, ONCE = "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"
STATEFUL: Final = frozenset({HANDLE, READ, ASSIGN, ONCE})
_NEXT: Final = ":next"
_SHARED_NAME: Final = 1


@dataclass
class _Variables:
    """By the name of a variable, the tensor that the network reads first, and the one that it holds by now."""

    read: dict[str, int] = field(default_factory=dict[str, int])
    held: dict[str, int] = field(default_factory=dict[str, int])
    same: dict[int, int] = field(default_factory=dict[int, int])
    """Tensors that are read again, by what was held then."""


def without_state(model: ModelFile, where: str) -> tuple[ModelFile, tuple[list[str], list[str]]]:
    """The model with its variables as inputs and outputs, or itself if it has none; and what both are called.

    A variable is the input NAME and the output NAME:next.

    Raises:
        ModelError: a variable does not begin with zeros.
        BrokenBuffer: a variable is used that is none.
    """
    inputs, outputs = [tensor.name for tensor in model.inputs], [tensor.name for tensor in model.outputs]
    if not any(op.kind in STATEFUL for op in model.operators):
        return model, (inputs, outputs)
    _require_zeros(model, where)
    variables = _followed(model.operators, _names(model.operators, model.tensors))
    written = [name for name, number in variables.held.items() if variables.read.get(name) != number]
    changed = ModelFile(bytearray(model.data))
    changed.redirect(variables.same)
    kept = [place for place, op in enumerate(model.operators) if op.kind not in STATEFUL]
    changed.network.keep(OPERATORS, kept)
    changed = changed.with_ends(INPUTS, [*changed.input_numbers, *variables.read.values()])
    changed = changed.with_ends(OUTPUTS, [*changed.output_numbers, *(variables.held[name] for name in written)])
    return changed, ([*inputs, *variables.read], [*outputs, *(f"{name}{_NEXT}" for name in written)])


def _names(operators: Sequence[OperatorInfo], tensors: Sequence[TensorInfo]) -> dict[int, str]:
    """What variables are called, by the tensors of their handles: two handles may be of one."""
    handles = [op for op in operators if op.kind == HANDLE and op.outputs]
    return {op.outputs[0]: _shared_name(op.options) or tensors[op.outputs[0]].name for op in handles}


def _shared_name(options: FlatTable | None) -> str:
    return "" if options is None else options.text(_SHARED_NAME)


def _followed(operators: Sequence[OperatorInfo], names: dict[int, str]) -> _Variables:
    variables = _Variables()
    for op in operators:
        if op.kind == READ and op.outputs:
            name = _variable(op, names)
            if name in variables.held:
                variables.same[op.outputs[0]] = variables.held[name]
            else:
                variables.read[name] = variables.held[name] = op.outputs[0]
        elif op.kind == ASSIGN:
            variables.held[_variable(op, names)] = variables.same.get(_assigned(op), _assigned(op))
    return variables


def _variable(op: OperatorInfo, names: dict[int, str]) -> str:
    """The variable that an operator reads or assigns."""
    if not op.inputs or op.inputs[0] not in names:
        raise BrokenBuffer(f"a {op.kind} of no variable")
    return names[op.inputs[0]]


def _assigned(op: OperatorInfo) -> int:
    """The tensor that is assigned."""
    match op.inputs:
        case (_, assigned):
            return assigned
        case _:
            raise BrokenBuffer(f"an {op.kind} of {len(op.inputs)} tensors")


def _require_zeros(model: ModelFile, where: str) -> None:
    """Whatever runs once before all others has to assign zeros, as inputs are taken to begin with them."""
    for once in (op for op in model.operators if op.kind == ONCE):
        tensors, operators = model.subgraph(0 if once.options is None else once.options.scalar(0, "i", 0))
        names = _names(operators, tensors)
        for op in operators:
            if op.kind == ASSIGN and not _is_zero(model, tensors[_assigned(op)]):
                raise ModelError(
                    f"the state {_variable(op, names)!r} does not begin with zeros",
                    where=where,
                    remedy="export the model with its state as inputs and outputs",
                )


def _is_zero(model: ModelFile, tensor: TensorInfo) -> bool:
    if model.is_stored(tensor):
        return bool(np.all(model.stored(tensor) == tensor.zero_point))
    return False
