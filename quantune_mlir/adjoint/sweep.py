"""The adjoint of a network around its fp32 run: from an output back to every tensor.

With J the derivative of an output y with respect to a tensor x, the cotangent of x for a vector v of the output's shape
is J^T v: how much v . y changes with each element of x. One sweep from the last unit to the first finds all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from quantune_mlir.adjoint import float_ops as ops
from quantune_mlir.adjoint.convolutions import (
    average_adjoint,
    convolution_adjoint,
    depthwise_adjoint,
    transpose_convolution_adjoint,
)
from quantune_mlir.adjoint.loops import through_loop
from quantune_mlir.adjoint.movement import NoAdjointError, through_movement
from quantune_mlir.adjoint.slopes import slope
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer.arithmetic import mean_factor
from quantune_mlir.integer.rewriter import clamp_bounds
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import is_constant, is_float
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.counted_loop import LOOP
from quantune_mlir.mlir.tosa.traits import axis_of, traits_of
from quantune_mlir.numerics.parameters import QuantParams

_STEEP = 1e30
_FUNCTIONS = (Kind.UNARY, Kind.SLOPES, Kind.EXTREME, Kind.FLOAT)
"""Kinds whose adjoint is that of each element, where their ops are element-wise."""


class Cotangents:
    """Cotangents of the tensors of a function, built at the current insertion point.

    Attributes:
        of: cotangent of each tensor that the output depends on.
        along: the part of an input's cotangent that comes through one reader, by the reader's output and the input.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        seeds: Mapping[ir.Value, ir.Value],
        params: Mapping[ir.Value, QuantParams],
        arrived: Callable[[ir.Value], ir.Value | None] = lambda _: None,
    ) -> None:
        """Sweeps back from outputs, each with its cotangent, through all units before them. Raises NoAdjointError.

        `arrived` gives an activation with every layer int8, if that is known.
        """
        self.of: dict[ir.Value, ir.Value] = dict(seeds)
        self.along: dict[tuple[ir.Value, ir.Value], ir.Value] = {}
        self._params = params
        self._arrived = arrived
        for unit in reversed(units):
            if unit.output not in self.of or all(isinstance(value, ir.BlockArgument) for value in unit.inputs):
                continue
            for value, cotangent in self._pull(unit, self.of[unit.output]):
                self.along[unit.output, value] = cotangent
                before = self.of.get(value)
                self.of[value] = cotangent if before is None else ops.add(before, cotangent)

    def _pull(self, unit: Unit, cotangent: ir.Value) -> list[tuple[ir.Value, ir.Value]]:
        """The cotangents of a unit's inputs; of integers there are none."""
        if unit.kind is Kind.BINARY:
            return _through_binary(unit, cotangent)
        if unit.op.name == "tosa.matmul":
            return _through_matmul(unit, cotangent)
        if unit.kind is Kind.CONCAT:
            return _through_concat(unit, cotangent)
        if unit.op.name == LOOP:
            found = through_loop(unit, cotangent, lambda units, seeds: Cotangents(units, seeds, {}).of)
            return [(value, part) for value, part in found if not is_constant(value)]
        if unit.kind in _FUNCTIONS and all(traits_of(op).elementwise for op in unit.ops):
            return [(value, self._through_function(unit, value, cotangent)) for value in unit.inputs if is_float(value)]
        if not any(map(is_float, unit.inputs)):
            return []
        if len(unit.inputs) != 1:
            raise NoAdjointError(unit.op.name)
        (source,) = unit.inputs
        return [(source, _through_one(unit, source, cotangent))]

    def _through_function(self, unit: Unit, source: ir.Value, cotangent: ir.Value) -> ir.Value:
        params = self._params.get(source)
        arrived = None if params is None else self._arrived(source)
        found = ops.multiply(cotangent, slope(unit, source, params, arrived))
        return ops.total(found, ops.broadcast_axes(source, found))


def _through_one(unit: Unit, source: ir.Value, cotangent: ir.Value) -> ir.Value:
    """The cotangent of the only input."""
    match unit.kind, unit.op.name:
        case Kind.DOT, "tosa.conv2d":
            return convolution_adjoint(unit.op, cotangent)
        case Kind.DOT, "tosa.depthwise_conv2d":
            return depthwise_adjoint(unit.op, cotangent)
        case Kind.DOT, "tosa.transpose_conv2d":
            return transpose_convolution_adjoint(unit.op, cotangent)
        case Kind.CLAMP, _:
            return _through_clamp(unit, cotangent)
        case Kind.MEAN, _:
            return ops.multiply(cotangent, ops.number(np.full(shape_of(source), mean_factor(unit))))
        case Kind.AVERAGE, "tosa.avg_pool2d":
            return average_adjoint(unit.op, cotangent)
        case Kind.MOVEMENT, "tosa.max_pool2d":
            return quantune.max_pool_adjoint(unit.op, cotangent)
        case _:
            return through_movement(unit.op, source, cotangent)


def _through_clamp(unit: Unit, cotangent: ir.Value) -> ir.Value:
    """Nothing comes back from where it clamps. The masks are arithmetic, so that kernels take them in."""
    low, high = clamp_bounds(unit)
    ones = (1,) * len(shape_of(unit.output))
    limit = np.finfo(np.float32).max
    found = cotangent
    if -limit < low:
        above = ops.subtract(unit.output, ops.number(np.full(ones, low)))
        found = ops.multiply(found, _is_positive(above))
    bounds = np.asarray(high, np.float32)
    if (bounds < limit).any():
        below = ops.subtract(ops.number(bounds.reshape(*ones[1:], -1)), unit.output)
        found = ops.multiply(found, _is_positive(below))
    return found


def _is_positive(value: ir.Value) -> ir.Value:
    """1.0 where an element is above 0, else 0.0."""
    large = ops.multiply(value, ops.number(np.full((1,) * len(shape_of(value)), _STEEP)))
    return build.clamp(large, 0.0, 1.0)


def _through_binary(unit: Unit, cotangent: ir.Value) -> list[tuple[ir.Value, ir.Value]]:
    left, right = list(unit.op.operands)[:2]
    if unit.op.name == "tosa.mul":
        parts = [(left, ops.multiply(cotangent, right)), (right, ops.multiply(cotangent, left))]
    elif unit.op.name == "tosa.sub":
        negative = ops.multiply(cotangent, ops.number(np.full((1,) * len(shape_of(cotangent)), -1.0)))
        parts = [(left, cotangent), (right, negative)]
    else:
        parts = [(left, cotangent), (right, cotangent)]
    found: dict[ir.Value, ir.Value] = {}
    for value, part in parts:
        if is_constant(value):
            continue
        part = ops.total(part, ops.broadcast_axes(value, part))
        found[value] = part if value not in found else ops.add(found[value], part)
    return list(found.items())


def _through_matmul(unit: Unit, cotangent: ir.Value) -> list[tuple[ir.Value, ir.Value]]:
    left, right = list(unit.op.operands)[:2]
    found = [
        (left, ops.matmul(cotangent, ops.transpose(right, (0, 2, 1)))),
        (right, ops.matmul(ops.transpose(left, (0, 2, 1)), cotangent)),
    ]
    return [(value, part) for value, part in found if not is_constant(value)]


def _through_concat(unit: Unit, cotangent: ir.Value) -> list[tuple[ir.Value, ir.Value]]:
    axis = axis_of(unit.op)
    first, found = 0, dict[ir.Value, ir.Value]()
    for value in unit.op.operands:
        starts = [0] * len(shape_of(value))
        starts[axis] = first
        first += shape_of(value)[axis]
        if not is_constant(value):
            part = ops.cut(cotangent, starts, shape_of(value))
            found[value] = part if value not in found else ops.add(found[value], part)
    return list(found.items())
