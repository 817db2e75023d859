"""What a kernel does to a vector of results before it stores it: the element-wise part of a group, in registers.

Numbers are data, not code: a number for each channel stands in a buffer, a single one is a scalar of the dispatch. So
layers that differ only in weights, scales and clamps share one kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.byte_tables import ByteTables
from quantune_mlir.kernels.emit.casts import CODES
from quantune_mlir.kernels.emit.lanes import Context, Lanes
from quantune_mlir.kernels.emit.rounding import NARROWED, Narrowing, Rounding
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.emit.vector_ops import EMITTERS, tensor_operands
from quantune_mlir.kernels.fusion.group import ROWS, Group
from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.constants import constant_value, is_float, is_splat
from quantune_mlir.mlir.edit import element_of, shape_of

_SCALAR: Final = -1
_RUN: Final = 4
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
    row: Index | None = None
    """Where its row begins; set where other tensors may be smaller than the result, and repeat in it."""
    runs: tuple[tuple[Index, int], ...] = ()
    """Where the lanes are not neighbours: (element, count) of each four lanes. `at` and `count` mean nothing then."""

    @property
    def target(self) -> Index:
        """The first element of the output that it fills."""
        return self.at if self.to is None else self.to

    def load(self, buffer: ir.Value, lanes: int) -> ir.Value:
        """What stands at this place in another tensor of the result's shape."""
        if not self.runs:
            at = self.at if self.row is None else self.repeating(buffer)
            return code.load_lanes(buffer, at, self.count, lanes)
        value = code.splat(0, lanes, str(ir.MemRefType(buffer.type).element_type))
        for position, (at, count) in enumerate(self.runs):
            for first, size in code.powers(count, _RUN):
                value = code.insert(code.load(buffer, code.add(at, first), size), value, position * _RUN + first)
        return value

    def repeating(self, buffer: ir.Value) -> Index:
        """What belongs to it in a tensor that may be smaller than the result: one for each channel, say."""
        if self.row is None:
            return self.channel
        return code.add(code.remainder(self.row, ir.MemRefType(buffer.type).shape[0]), self.channel)

    def store(self, value: ir.Value, buffer: ir.Value) -> None:
        """Put a vector there."""
        if not self.runs:
            code.store_lanes(value, buffer, self.target, self.count)
        for position, (at, count) in enumerate(self.runs):
            for first, size in code.powers(count, _RUN):
                code.store(code.part(value, position * _RUN + first, size), buffer, code.add(at, first))


@dataclass
class Bound:
    """An epilogue inside a kernel: its buffers and scalars."""

    channels: dict[ir.Value, ir.Value]
    scalars: list[ir.Value]
    tensors: dict[ir.Value, ir.Value]
    output: ir.Value
    loaded: dict[tuple[int, int], ir.Value] = field(default_factory=dict)
    """What was loaded already, by position and column; to be cleared where that is no longer in scope."""


class _Step:
    """What is asked of an op for each vector again."""

    def __init__(self, op: ir.Operation) -> None:
        self.operands = tensor_operands(op)
        self.result = op.results[0]
        self.emit = EMITTERS[op.name].emit
        self.rounds = _rounds(op)


class Epilogue:
    """The element-wise ops of a group and the data that they need."""

    def __init__(self, group: Group, tables: ByteTables | None) -> None:
        self._group = group
        self._byte_tables = tables
        self.tensors: list[ir.Value] = group.read_by_epilogue
        """What it reads besides constants: tensors of the result's shape, or of a number for each channel or row."""
        self.channels: dict[ir.Value, Numbers] = {}
        """Numbers in buffers: one for each channel, or a table."""
        self._tables: set[ir.Value] = set()
        self._constants: dict[ir.Value, int] = {}
        self._attributes: dict[tuple[ir.Operation, str], int] = {}
        self._bounds: dict[ir.Value, tuple[float, float]] = {}
        self.scalars: list[int] = []
        self._steps: dict[ir.Operation, _Step] = {}
        for op in (*group.prologue, *group.epilogue):
            for operand in tensor_operands(op):
                self._plan(operand)
            if op.name == "tosa.table":
                self._plan_table(op.operands[1])
            for name in ("min_val", "max_val"):
                if name in op.attributes:
                    self._attributes[op, name] = self._scalar(_number(op.attributes[name]))

    def _plan(self, operand: ir.Value) -> None:
        array = constant_value(operand)
        if array is None or operand in self.channels or operand in self._constants:
            return
        kind = np.float32 if array.dtype == np.float32 else np.int32
        if np.isfinite(array).all():
            self._bounds[operand] = float(array.min()), float(array.max())
        if array.size == 1 or self._is_number(operand):
            self._constants[operand] = self._scalar(kind(array.reshape(-1)[0]))
        else:
            assert operand in self._tables or self._repeats(array.size), f"{operand.type} is read beyond its end"
            self.channels[operand] = array.reshape(-1).astype(kind)

    def _repeats(self, size: int) -> bool:
        """Whether so many numbers are one for each channel; in rows they repeat in the result."""
        return prod(self.shape) % size == 0 if self._group.family == ROWS else size == self.shape[-1]

    def _is_number(self, operand: ir.Value) -> bool:
        """Whether a constant repeats one number, and not once for each channel or within rows."""
        if operand in self._tables or self._group.family == ROWS:
            return False
        return prod(shape_of(operand)) != self.shape[-1] and is_splat(operand)

    def _plan_table(self, table: ir.Value) -> None:
        entries = constant_value(table)
        if entries is None:
            return
        self._tables.add(table)
        if self._byte_tables is not None and entries.dtype == np.int8:
            self.channels[table] = self._byte_tables.arrange(entries)
        else:
            self._plan(table)

    def _scalar(self, number: np.generic) -> int:
        self.scalars.append(int(np.asarray(number).view(np.int32)))
        return len(self.scalars) - 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result, or of the rows of which it is a number each."""
        return self._group.shape

    @property
    def size(self) -> int:
        """The elements of the result."""
        return prod(shape_of(self._group.result))

    @cached_property
    def depends_on_channel(self) -> bool:
        """Whether there is a number for each channel."""
        return len(self.channels) > len(self._tables) or any(map(self._is_channels, self.tensors))

    def _is_channels(self, tensor: ir.Value) -> bool:
        return prod(shape_of(tensor)) == self.shape[-1] < prod(self.shape)

    def reordered(self, order: NDArray[np.intp]) -> list[Numbers]:
        """What `channels` holds, channels in another order; a table stays as it is."""
        return [v if key in self._tables else v[order].reshape(-1) for key, v in self.channels.items()]

    @cached_property
    def element(self) -> str:
        """The element type of the result."""
        return element_of(self._group.result)

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

    def finish(self, accumulator: ir.Value | None, place: Place, lanes: int, bound: Bound, limit: float = inf) -> None:
        """Compute the epilogue of a vector, as `compute` does, and store it."""
        place.store(code.narrowed(self.compute(accumulator, place, lanes, bound, limit), self.element), bound.output)

    def finish_all(
        self,
        accumulators: Sequence[tuple[ir.Value, Place]],
        lanes: int,
        bound: Bound,
        limit: float,
        narrowing: Narrowing | None,
    ) -> None:
        """Compute the epilogue of the vectors of neighbouring pixels, column by column of each, and store them."""
        if narrowing is None or self.element != "i8":
            for accumulator, place in accumulators:
                self.finish(accumulator, place, lanes, bound, limit)
            return
        for first in range(0, len(accumulators), NARROWED):
            together = accumulators[first : first + NARROWED]
            values = [self.compute(*each, lanes, bound, limit, narrowing.rounding) for each in together]
            packed = narrowing.narrow([*values, *values[-1:] * (NARROWED - len(values))])
            _store_packed(packed, [place for _, place in together], lanes, bound.output)

    def compute(
        self,
        accumulator: ir.Value | None,
        place: Place,
        lanes: int,
        bound: Bound,
        limit: float = inf,
        rounding: Rounding | None = None,
    ) -> ir.Value:
        """The results of a vector: f32, or i32 where they are i8.

        Args:
            accumulator: the root's results, i32 or f32; None if the group has none.
            place: where the vector stands.
            lanes: its length.
            bound: buffers and scalars.
            limit: what the accumulators do not exceed in magnitude.
            rounding: with it, results may exceed i8: the caller saturates them.
        """
        values: dict[ir.Value, Lanes] = {}
        if accumulator is not None:
            assert self._group.root is not None
            values[self._group.root.results[0]] = Lanes(accumulator, -limit, limit)
        return self._compute(
            self._group.epilogue, self._group.result, values, place, lanes, bound, rounding=rounding
        ).value

    def compute_steps(
        self,
        steps: Sequence[ir.Operation],
        result: ir.Value,
        known: Mapping[ir.Value, ir.Value],
        place: Place,
        lanes: int,
        bound: Bound,
    ) -> ir.Value:
        """A vector of `result`, which some of the ops compute from vectors of what is known."""
        values = {value: Lanes(vector) for value, vector in known.items()}
        return self._compute(steps, result, values, place, lanes, bound).value

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
        *,
        rounding: Rounding | None = None,
    ) -> Lanes:
        def read(operand: ir.Value) -> Lanes:
            if operand not in values:
                values[operand] = self._read(operand, place, lanes, bound)
            return values[operand]

        def attribute(op: ir.Operation, name: str) -> ir.Value:
            return self._lanes_of_scalar(self._attributes[op, name], op.results[0], lanes, bound)

        context = Context(lanes, attribute, bound.channels, self._byte_tables)
        for op in ops:
            step = self._steps.get(op) or self._steps.setdefault(op, _Step(op))
            operands = [read(operand) for operand in step.operands]
            if rounding and step.rounds and step.result == result:
                (source,) = operands
                if -rounding.limit < source.low and source.high < rounding.limit:
                    return Lanes(rounding.round(source.value))
            values[step.result] = step.emit(op, operands, context)
        return read(result)

    def _read(self, operand: ir.Value, place: Place, lanes: int, bound: Bound) -> Lanes:
        if operand in self._constants:
            scalar = self._lanes_of_scalar(self._constants[operand], operand, lanes, bound)
            return Lanes(scalar, *self._bounds.get(operand, (-inf, inf)))
        if operand in self.channels:
            key = (list(self.channels).index(operand), place.column)
            if key not in bound.loaded:
                buffer = bound.channels[operand]
                bound.loaded[key] = code.load_lanes(buffer, place.repeating(buffer), place.count, lanes)
            return Lanes(bound.loaded[key], *self._bounds.get(operand, (-inf, inf)))
        if place.row is None and self._is_channels(operand):
            return widened(code.load_lanes(bound.tensors[operand], place.channel, place.count, lanes), lanes)
        return widened(place.load(bound.tensors[operand], lanes), lanes)

    def _lanes_of_scalar(self, position: int, value: ir.Value, lanes: int, bound: Bound) -> ir.Value:
        key = (position, _SCALAR)
        if key not in bound.loaded:
            scalar = bound.scalars[position]
            if is_float(value):
                scalar = arith.BitcastOp(code.element("f32"), scalar).result
            bound.loaded[key] = code.broadcast(scalar, lanes)
        return bound.loaded[key]


def _rounds(op: ir.Operation) -> bool:
    return op.name == "tosa.cast" and is_float(op.operands[0]) and "i8" in str(op.results[0].type)


def _store_packed(packed: ir.Value, places: Sequence[Place], lanes: int, output: ir.Value) -> None:
    """Vectors side by side in `packed` to their places, those of one pixel together."""
    first = 0
    while first < len(places):
        end = first + 1
        while end < len(places) and places[end].column == places[end - 1].column + 1:
            end += 1
        count = sum(place.count for place in places[first:end])
        size = 1 << ((end - first) * lanes - 1).bit_length()
        for at, length in code.powers(count, size):
            piece = code.part(packed, first * lanes + at, length)
            code.store(piece, output, code.add(places[first].target, at))
        first = end


def widened(value: ir.Value, lanes: int) -> Lanes:
    """A vector as it was loaded, i8 and i16 as i32."""
    stored = str(ir.VectorType(value.type).element_type)
    if stored in CODES:
        return Lanes(arith.ExtSIOp(code.vector_type(lanes, "i32"), value).result, *CODES[stored])
    return Lanes(value)


def _number(attribute: ir.Attribute) -> np.generic:
    if isinstance(attribute, ir.FloatAttr):
        return np.float32(attribute.value)
    return np.int32(ir.IntegerAttr(attribute).value)
