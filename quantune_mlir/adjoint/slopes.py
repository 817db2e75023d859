"""The slope of an elementwise function, as wide as the error that int8 makes of its argument.

A derivative tells what an infinitely small error does. The rounding of a tensor with a few large values among many
small ones is not small: it makes 0 of the small ones. So where a function reads a tensor that has an int8 form, its
slope is that of the chord from the argument to what it is with every layer int8, no longer than a few steps: that is
exact for all errors together, and near for others of their size. Where the two are near, or the argument has no int8
form, the chord is a short one.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from quantune_mlir.adjoint import float_ops as ops
from quantune_mlir.graph.units import Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.numerics.parameters import QuantParams

_SHORT: Final = 2.0**-6
"""The least length of a chord, in steps of int8."""
_LONG: Final = 4.0
"""The most: noise that ruins the network is not that of plans worth having."""
_RELATIVE: Final = 2.0**-8
"""The length of a chord beside the argument, where that is never int8: the sign stays, and so does what has a value."""
_LEAST: Final = 1e-12
_STEEPEST: Final = 1e30


def slope(unit: Unit, source: ir.Value, params: QuantParams | None, arrived: ir.Value | None = None) -> ir.Value:
    """The slope of a unit's function along one of its activations, of the result's shape; 0 where it has none.

    Args:
        unit: elementwise ops.
        source: the activation.
        params: of its int8 form; None if it has none.
        arrived: the activation with every layer int8; None: as it is rounded to int8.
    """
    if params is None and (derivative := _DERIVATIVES.get(unit.op.name)) and len(unit.ops) == 1:
        return derivative(unit.output)
    reach = _small_part(source) if params is None else _error(source, params, arrived)
    moved = _again(unit, source, ops.add(source, reach))
    rise = ops.subtract(moved, unit.output)
    found = ops.multiply(rise, build.elementwise("reciprocal", reach))
    rank = (1,) * len(shape_of(found))
    has_one = ops.greater(ops.number(np.full(rank, _STEEPEST)), ops.absolute(found))
    return ops.select(has_one, found, ops.number(np.zeros(rank)))


def _error(source: ir.Value, params: QuantParams, arrived: ir.Value | None) -> ir.Value:
    """What the activation is off by in int8, but no shorter than a small part of a step, and no longer than a few."""
    if arrived is None:
        return _no_shorter_than(_SHORT * params.scale, _rounding(source, params))
    longest = _LONG * params.scale
    return _no_shorter_than(_SHORT * params.scale, build.clamp(ops.subtract(arrived, source), -longest, longest))


def _rounding(source: ir.Value, params: QuantParams) -> ir.Value:
    """The error of rounding the activation to int8."""
    rank = (1,) * len(shape_of(source))

    def number(value: float) -> ir.Value:
        return ops.number(np.full(rank, value))

    code = ops.add(ops.multiply(source, number(1 / params.scale)), number(0.5))
    whole = build.elementwise("floor", code)
    inside = build.clamp(whole, *(float(q - params.zero_point) for q in (params.qmin, params.qmax)))
    return ops.subtract(ops.multiply(inside, number(params.scale)), source)


def _small_part(source: ir.Value) -> ir.Value:
    rank = (1,) * len(shape_of(source))
    part = ops.multiply(source, ops.number(np.full(rank, _RELATIVE)))
    return _no_shorter_than(_LEAST, part)


def _no_shorter_than(least: float, reach: ir.Value) -> ir.Value:
    short = ops.number(np.full((1,) * len(shape_of(reach)), least))
    return ops.select(ops.greater(ops.absolute(reach), short), reach, short)


def _again(unit: Unit, source: ir.Value, value: ir.Value) -> ir.Value:
    """The function of a unit, of another value of one activation."""
    inside = {source: value}
    for op in unit.ops:
        twin = op.clone()
        for i, operand in enumerate(op.operands):
            twin.operands[i] = inside.get(operand, operand)
        inside[op.results[0]] = twin.results[0]
    return inside[unit.output]


def _of_sigmoid(result: ir.Value) -> ir.Value:
    """y (1 - y)."""
    return ops.multiply(result, ops.subtract(ops.number(np.ones((1,) * len(shape_of(result)))), result))


def _of_tanh(result: ir.Value) -> ir.Value:
    """1 - y^2."""
    return ops.subtract(ops.number(np.ones((1,) * len(shape_of(result)))), ops.multiply(result, result))


_DERIVATIVES: Final = {"tosa.sigmoid": _of_sigmoid, "tosa.tanh": _of_tanh}
"""Of functions in the midst of what is fp32 throughout, from their results."""
