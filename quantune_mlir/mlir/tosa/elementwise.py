"""TOSA's elementwise ops: each element of the result depends on one element of each data operand."""

from __future__ import annotations

from typing import Final

ELEMENTWISE_ARITY: Final = {
    "tosa.abs": 1,
    "tosa.add": 2,
    "tosa.arithmetic_right_shift": 2,
    "tosa.bitwise_and": 2,
    "tosa.bitwise_not": 1,
    "tosa.bitwise_or": 2,
    "tosa.bitwise_xor": 2,
    "tosa.cast": 1,
    "tosa.ceil": 1,
    "tosa.clamp": 1,
    "tosa.clz": 1,
    "tosa.cos": 1,
    "tosa.equal": 2,
    "tosa.erf": 1,
    "tosa.exp": 1,
    "tosa.floor": 1,
    "tosa.greater": 2,
    "tosa.greater_equal": 2,
    "tosa.identity": 1,
    "tosa.intdiv": 2,
    "tosa.log": 1,
    "tosa.logical_and": 2,
    "tosa.logical_left_shift": 2,
    "tosa.logical_not": 1,
    "tosa.logical_or": 2,
    "tosa.logical_right_shift": 2,
    "tosa.logical_xor": 2,
    "tosa.maximum": 2,
    "tosa.minimum": 2,
    "tosa.mul": 2,
    "tosa.negate": 1,
    "tosa.pow": 2,
    "tosa.reciprocal": 1,
    "tosa.rsqrt": 1,
    "tosa.select": 3,
    "tosa.sigmoid": 1,
    "tosa.sin": 1,
    "tosa.sub": 2,
    "tosa.table": 1,
    "tosa.tanh": 1,
}
"""The number of data operands by op name. Operands after those (shifts, zero points, tables) are parameters."""
