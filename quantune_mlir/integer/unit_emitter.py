"""Builds TOSA ops at one place, stamped with the layer that they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.graph.units import Unit
from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, int48_constant
from quantune_mlir.mlir.tosa import build
from quantune_mlir.numerics.parameters import QuantParams

_P = ParamSpec("_P")


@dataclass(frozen=True)
class Quantized:
    """A tensor of integers and what these mean."""

    value: ir.Value
    params: QuantParams


class UnitEmitter:
    """Builds ops before `before`, each with the location and layer of `unit`."""

    def __init__(self, unit: Unit, before: ir.Operation) -> None:
        self._point = ir.InsertionPoint(before)
        self._location = unit.op.location
        context = before.context
        stamps = {LAYER: unit.layer, OP: unit.op_type}
        self._stamps = {name: ir.StringAttr.get(text, context) for name, text in stamps.items() if text is not None}
        self.i8 = ir.IntegerType.get_signless(8, context)
        self.i16 = ir.IntegerType.get_signless(16, context)
        self.i32 = ir.IntegerType.get_signless(32, context)
        self.i48 = ir.IntegerType.get_signless(48, context)
        self.f32 = ir.F32Type.get(context)

    def constant(self, array: NDArray[np.generic]) -> ir.Value:
        """A tosa.const holding `array`."""
        return constant(array, loc=self._location, ip=self._point)

    def int48_constant(self, array: NDArray[np.int64]) -> ir.Value:
        """A tosa.const of i48."""
        return int48_constant(array, loc=self._location, ip=self._point)

    def stored(self, params: QuantParams) -> ir.Type:
        """The element type of tensors with these parameters."""
        return self.i8 if params.dtype is np.int8 else self.i16

    def scalar(self, value: float, dtype: type[np.generic], rank: int = 1) -> ir.Value:
        """A constant of one element and the given rank."""
        return self.constant(np.full((1,) * rank, value, dtype))

    def emit(self, make: Callable[_P, ir.Value], *args: _P.args, **kwargs: _P.kwargs) -> ir.Value:
        """The result of one of mlir/tosa/build.py's functions, which builds an op here."""
        with self._point, self._location:
            return self.stamp(make(*args, **kwargs).owner.operation)

    def clone(self, op: ir.Operation, operands: Sequence[ir.Value], element: ir.Type) -> ir.Value:
        """`op` with other operands and another element type of its result; attributes stay, and a loop as it is."""
        if len(op.regions):
            twin = op.clone(ip=self._point)
            for position, operand in enumerate(operands):
                twin.operands[position] = operand
            for name in [name for name in twin.attributes if name.startswith("quantune.")]:
                del twin.attributes[name]
            return self.stamp(twin)
        shape = ir.RankedTensorType(op.results[0].type).shape
        with self._point, op.location:
            twin = ir.Operation.create(
                op.name,
                results=[ir.RankedTensorType.get(shape, element)],
                operands=list(operands),
                attributes={a: op.attributes[a] for a in op.attributes if not a.startswith("quantune.")},
            )
        return self.stamp(twin)

    def cast(self, value: ir.Value, element: ir.Type) -> ir.Value:
        """tosa.cast, if the type differs: from fp32 to integers it rounds half to even and saturates."""
        if value.type.element_type == element:
            return value
        return self.emit(build.cast, value, element)

    def stamp(self, op: ir.Operation) -> ir.Value:
        """Marks an op as belonging to this emitter's layer; its single result."""
        for name, text in self._stamps.items():
            op.attributes[name] = text
        return op.results[0]
