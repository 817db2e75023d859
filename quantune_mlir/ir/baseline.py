"""Networks whose result may be an approximation of their input: autoencoders, filters, predictors of the next value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from quantune_mlir.ir.edit import shape_of
from quantune_mlir.ir.layers import Layer, closing_values
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.units import Unit, entry_block, is_float

_REORDERING: Final = frozenset({"tosa.reshape", "tosa.transpose", "tosa.identity", "tosa.reverse"})
"""Moves that keep every element, so that energies stay what they are."""


@dataclass(frozen=True)
class Reconstruction:
    """The result of a function that may approximate its argument, element by element."""

    argument: ir.Value
    result: ir.Value


def find_reconstruction(
    function: ir.Operation, units: Sequence[Unit], layers: Sequence[Layer]
) -> Reconstruction | None:
    """The reconstruction that a function may be: one argument, one result, and as many elements in both, in fp32.

    Its result is that of the last layer that decides, but for the order of the elements. Whether it resembles the
    argument, the samples tell. None if the function is of another form.
    """
    block = entry_block(function)
    *_, terminator = block
    arguments, results = list(block.arguments), list(terminator.operands)
    closing = closing_values(units, layers)
    if not len(arguments) == len(results) == len(closing) == 1:
        return None
    (argument,), (result,) = arguments, results
    if not (is_float(argument) and is_float(result)) or prod(shape_of(argument)) != prod(shape_of(result)):
        return None
    makers = {unit.output: unit for unit in units}
    value = result
    while value != closing[0]:
        unit = makers[value]
        if any(op.name not in _REORDERING for op in unit.ops):
            return None
        (value,) = unit.inputs
    return Reconstruction(argument, result)
