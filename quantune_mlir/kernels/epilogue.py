"""What a kernel does to a vector of results before it stores it: the element-wise part of a group, in registers.

Numbers are data, not code: a number for each channel stands in a buffer, a single one is a scalar of the dispatch. So
layers that differ only in weights, scales and clamps share one kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.ir.constants import constant_value
from quantune_mlir.ir.mlir import arith, ir
from quantune_mlir.kernels import code
from quantune_mlir.kernels.code import Index
from quantune_mlir.kernels.elementwise_ops import EMITTERS, Context, Lanes, tensor_operands
from quantune_mlir.kernels.group import Group

_SCALAR: Final = -1
Numbers = NDArray[np.int32 | np.float32]


@dataclass(frozen=True)
class Place:
    """Where a vector of results goes: to element `at` of the result, `count` channels from `channel` on."""

    at: Index
    channel: Index
    count: int
    column: int = 0
    """Which of the channels that are kept in registers together; vectors of a column share what they load."""
    to: Index | None = None
    """Where it goes in the output, if the result is a part of it."""


@dataclass
class Bound:
    """An epilogue inside a kernel: its buffers and scalars."""

    channels: dict[ir.Value, ir.Value]
    scalars: list[ir.Value]
    tensors: dict[ir.Value, ir.Value]
    output: ir.Value
    loaded: dict[tuple[int, int], ir.Value] = field(default_factory=dict)
    """What was loaded already, by position and column; to be cleared where that is no longer in scope."""


class Epilogue:
    """The element-wise ops of a group and the data that they need."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self.tensors: list[ir.Value] = group.read_by_epilogue
        """What it reads besides constants: tensors of the result's shape."""
        self.channels: dict[ir.Value, Numbers] = {}
        """Numbers in buffers: one for each channel, or a table."""
        self._tables: set[ir.Value] = set()
        self._constants: dict[ir.Value, int] = {}
        self._attributes: dict[tuple[ir.Operation, str], int] = {}
        self.scalars: list[int] = []
        for op in (*group.prologue, *group.epilogue):
            for operand in tensor_operands(op):
                self._plan(operand)
            if op.name == "tosa.table":
                self._plan(op.operands[1])
                self._tables.add(op.operands[1])
            for name in ("min_val", "max_val"):
                if name in op.attributes:
                    self._attributes[op, name] = self._scalar(_number(op.attributes[name]))

    def _plan(self, operand: ir.Value) -> None:
        array = constant_value(operand)
        if array is None or operand in self.channels or operand in self._constants:
            return
        kind = np.float32 if array.dtype == np.float32 else np.int32
        if array.size == 1:
            self._constants[operand] = self._scalar(kind(array.reshape(-1)[0]))
        else:
            self.channels[operand] = array.reshape(-1).astype(kind)

    def _scalar(self, number: np.generic) -> int:
        self.scalars.append(int(np.asarray(number).view(np.int32)))
        return len(self.scalars) - 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return self._group.shape

    @property
    def depends_on_channel(self) -> bool:
        """Whether there is a number for each channel."""
        return len(self.channels) > len(self._tables)

    @property
    def element(self) -> str:
        """The element type of the result."""
        return str(ir.RankedTensorType(self._group.result.type).element_type)

    def bind(
        self, channels: Sequence[ir.Value], scalars: Sequence[ir.Value], tensors: Sequence[ir.Value], output: ir.Value
    ) -> Bound:
        """Tell the epilogue its buffers, in the order of `channels` and `tensors`, and its scalars."""
        return Bound(
            dict(zip(self.channels, channels, strict=True)),
            list(scalars),
            dict(zip(self.tensors, tensors, strict=True)),
            output,
        )

    def finish(self, accumulator: ir.Value | None, place: Place, lanes: int, bound: Bound) -> None:
        """Compute the epilogue of a vector (i32 or f32; None: the group has no root) and store it."""
        values: dict[ir.Value, Lanes] = {}
        if accumulator is not None:
            assert self._group.root is not None
            values[self._group.root.results[0]] = Lanes(accumulator)
        result = self._compute(self._group.epilogue, self._group.result, values, place, lanes, bound).value
        code.store_lanes(
            code.narrowed(result, self.element), bound.output, place.at if place.to is None else place.to, place.count
        )

    def prepare(self, value: ir.Value, place: Place, lanes: int, bound: Bound) -> ir.Value:
        """What the prologue makes of a vector of the group's source: i8, f32 or i32 in, i32 or f32 out."""
        prologue = self._group.prologue
        source = widened(value, lanes)
        if not prologue:
            return source.value
        given = {prologue[0].operands[0]: source}
        return self._compute(prologue, prologue[-1].results[0], given, place, lanes, bound).value

    def _compute(
        self,
        ops: Sequence[ir.Operation],
        result: ir.Value,
        values: dict[ir.Value, Lanes],
        place: Place,
        lanes: int,
        bound: Bound,
    ) -> Lanes:
        def read(operand: ir.Value) -> Lanes:
            if operand not in values:
                values[operand] = self._read(operand, place, lanes, bound)
            return values[operand]

        def attribute(op: ir.Operation, name: str) -> ir.Value:
            return self._lanes_of_scalar(self._attributes[op, name], op.results[0], lanes, bound)

        context = Context(lanes, attribute, bound.channels)
        for op in ops:
            operands = [read(operand) for operand in tensor_operands(op)]
            values[op.results[0]] = EMITTERS[op.name](op, operands, context)
        return read(result)

    def _read(self, operand: ir.Value, place: Place, lanes: int, bound: Bound) -> Lanes:
        if operand in self._constants:
            return Lanes(self._lanes_of_scalar(self._constants[operand], operand, lanes, bound))
        if operand in self.channels:
            key = (list(self.channels).index(operand), place.column)
            if key not in bound.loaded:
                bound.loaded[key] = code.load_lanes(bound.channels[operand], place.channel, place.count, lanes)
            return Lanes(bound.loaded[key])
        return widened(code.load_lanes(bound.tensors[operand], place.at, place.count, lanes), lanes)

    def _lanes_of_scalar(self, position: int, value: ir.Value, lanes: int, bound: Bound) -> ir.Value:
        key = (position, _SCALAR)
        if key not in bound.loaded:
            scalar = bound.scalars[position]
            if str(ir.RankedTensorType(value.type).element_type) == "f32":
                scalar = arith.BitcastOp(code.element("f32"), scalar).result
            bound.loaded[key] = code.broadcast(scalar, lanes)
        return bound.loaded[key]


def widened(value: ir.Value, lanes: int) -> Lanes:
    """A vector as it was loaded, i8 as i32."""
    if ir.VectorType(value.type).element_type == code.element("i8"):
        return Lanes(arith.ExtSIOp(code.vector_type(lanes, "i32"), value).result, -128, 127)
    return Lanes(value)


def _number(attribute: ir.Attribute) -> np.generic:
    if isinstance(attribute, ir.FloatAttr):
        return np.float32(attribute.value)
    return np.int32(ir.IntegerAttr(attribute).value)
