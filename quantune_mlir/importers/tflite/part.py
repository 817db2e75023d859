"""A part of a .tflite file, cut out before it is converted: what the converter refuses stays outside."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from quantune_mlir.importers.common.edits import Edits
from quantune_mlir.importers.tflite.model_file import INPUTS, OPERATORS, OUTPUTS, ModelFile

Names = tuple[Sequence[str], Sequence[str]]


def part_of(model: ModelFile, names: Names, edits: Edits) -> tuple[ModelFile, Names] | None:
    """The operators between the tensors that `edits` names, and what its inputs and outputs are called.

    Args:
        model: the whole of it, which stays as it is.
        names: those of its inputs and outputs, in their order.
        edits: what else is named than a tensor is found once the model is converted only.

    Returns:
        None if it is the whole model, if a name is no tensor's, or if the part needs other inputs too.
    """
    own_inputs = dict(zip(names[0], model.input_numbers, strict=True))
    own_outputs = dict(zip(names[1], model.output_numbers, strict=True))
    known = {model.tensors[number].name: number for op in model.operators for number in op.outputs} | own_inputs
    if not all(name in known for name in (*edits.inputs, *edits.outputs)):
        return None
    pinned = {name: own_inputs[name] for name in edits.constants if name in own_inputs}
    begins = {name: known[name] for name in edits.inputs} | pinned if edits.inputs else own_inputs
    ends = {name: known[name] for name in edits.outputs} or own_outputs
    places, read = _between(model, begins.values(), ends.values())
    if len(places) == len(model.operators) or not read.isdisjoint({*own_inputs.values()} - {*begins.values()}):
        return None
    begins = {name: number for name, number in begins.items() if number in read or name in pinned}
    part = ModelFile(bytearray(model.data))
    part.network.keep(OPERATORS, places)
    part = part.with_ends(INPUTS, list(begins.values())).with_ends(OUTPUTS, list(ends.values()))
    return part, (list(begins), list(ends))


def _between(model: ModelFile, begins: Collection[int], ends: Collection[int]) -> tuple[list[int], set[int]]:
    """The places of the operators that the ends need, ascending, and all tensors that they read."""
    places: list[int] = []
    needed = set(ends)
    for place, op in reversed(list(enumerate(model.operators))):
        if not needed.isdisjoint(set(op.outputs) - set(begins)):
            places.append(place)
            needed.update(op.inputs)
    return places[::-1], needed
