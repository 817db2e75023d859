"""Inputs and outputs of uint8, as the converter writes them: a type without sign, and its top bit turned.

A tensor of ui8 is rescaled to i8 by nothing but -128, and back by +128. Here a byte keeps its bits whatever its sign,
so that both are an exclusive or with 0x80.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value
from quantune_mlir.mlir.edit import defining_op, replace, shape_of, users
from quantune_mlir.mlir.tosa.build import elementwise

_TOP_BIT: Final = -128
_ONE: Final = (1 << 30, 30)
"""The multiplier and shift that change nothing."""


def signless_boundaries(block: ir.Block) -> tuple[set[int], set[int]]:
    """Give arguments and results of ui8 the type i8, where rescales by nothing else stand at them; tell which."""
    arguments: set[int] = set()
    for number, argument in enumerate(block.arguments):
        readers = users(argument)
        if _is_uint8(argument) and readers and all(_turns_top_bit(reader) for reader in readers):
            argument.set_type(_signless(argument))
            arguments.add(number)
            for reader in readers:
                _turn(reader)
    end = block.operations[len(block.operations) - 1].operation
    results: set[int] = set()
    for number, value in enumerate(end.operands):
        maker = defining_op(value, "tosa.rescale")
        if _is_uint8(value) and maker is not None and _turns_top_bit(maker):
            results.add(number)
            _turn(maker)
    return arguments, results


def _turn(rescale: ir.Operation) -> None:
    x = rescale.operands[0]
    with rescale.location, ir.InsertionPoint(rescale):
        top = constant(np.full((1,) * len(shape_of(x)), _TOP_BIT, np.int8))
        value = elementwise("bitwise_xor", x, top)
    for name in (LAYER, OP):
        value.owner.attributes[name] = rescale.attributes[name]
    replace(rescale, value)


def _turns_top_bit(op: ir.Operation) -> bool:
    """Whether an op is a rescale between ui8 and i8 that adds or takes 128, and nothing else."""
    if op.name != "tosa.rescale":
        return False
    parameters = [constant_value(operand) for operand in list(op.operands)[1:]]
    if any(value is None or value.size != 1 for value in parameters):
        return False
    multiplier, shift, before, after = (int(value.reshape(())) for value in parameters if value is not None)
    unsigned = [_is_uint8(value) for value in (op.operands[0], op.results[0])]
    if sum(unsigned) != 1:
        return False
    zeros = zip((before, after), unsigned, strict=True)
    first, last = (zero % 256 if is_unsigned else zero for zero, is_unsigned in zeros)
    wanted = 128 if unsigned[0] else _TOP_BIT
    return (multiplier, shift) == _ONE and first - last == wanted


def _is_uint8(value: ir.Value) -> bool:
    return isinstance(value.type, ir.RankedTensorType) and str(value.type.element_type) == "ui8"


def _signless(value: ir.Value) -> ir.Type:
    return ir.RankedTensorType.get(list(shape_of(value)), ir.IntegerType.get_signless(8))
