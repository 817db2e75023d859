"""int8 depthwise convolutions: what an instruction set multiplies at once, and the order in which it keeps channels.

A column of the image is a few rows by some units of 16 neighbouring channels. Its bytes are interleaved into words of
32 bits: a word holds one channel of `depth` kernel rows, and is multiplied and summed up by one step. Four vectors
hold the words of a column, a quarter of each unit in one: quarter k has channels 4k to 4k+3. That is what unpack
instructions yield, which work within 128 bits, and the order that pack instructions undo.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.rounding import Rounding
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.mlir.bindings import arith, ir

UNIT: Final = 16
"""Channels of a unit."""
QUARTERS: Final = 4
RUN: Final = 4
"""Neighbouring channels: a quarter of a unit."""


@dataclass(frozen=True)
class DepthwiseStep(ABC):
    """acc[l] += sum over d of x[l, d] * w[l, d]: one kernel column, `depth` kernel rows."""

    depth: int
    """Kernel rows in a word."""
    element: str
    """Element type of the parts of a word; `depth` of them are 32 bits."""
    offset: int
    """What is added to every i8 input: the step reads x + offset."""

    @abstractmethod
    def interleave(self, rows: Sequence[ir.Value]) -> list[ir.Value]:
        """The quarters of `depth` rows of i8, whole units of each."""

    @abstractmethod
    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """The i32 accumulators after the step; x is a quarter, w the weights of the same lanes."""

    def weights(self, buffer: ir.Value, at: Index, lanes: int) -> ir.Value:
        """i8 weights [lanes][depth], contiguous in memory, as `step` takes them."""
        loaded = code.load(buffer, at, lanes * self.depth)
        if self.element == "i8":
            return loaded
        return arith.ExtSIOp(code.vector_type(lanes * self.depth, self.element), loaded).result

    @property
    def rounding(self) -> Rounding | None:
        """How to round, if `narrow` saturates."""
        return None

    def narrow(self, quarters: Sequence[ir.Value]) -> ir.Value:
        """i32 quarters as i8 in the order of memory; without `rounding` the values must fit."""
        lanes = lanes_of(quarters[0])
        narrow = [arith.TruncIOp(code.vector_type(lanes, "i8"), quarter).result for quarter in quarters]
        first, second = (code.shuffle(a, b, range(2 * lanes)) for a, b in (narrow[:2], narrow[2:]))
        return code.shuffle(first, second, [quarter_lane(c, lanes) for c in range(QUARTERS * lanes)])


class WidenedStep(DepthwiseStep):
    """acc[l] += x[l] * w[l] in i32: right on any instruction set."""

    def interleave(self, rows: Sequence[ir.Value]) -> list[ir.Value]:
        """Each quarter sign-extended."""
        (row,) = rows
        lanes = lanes_of(row) // QUARTERS
        order = sorted(range(QUARTERS * lanes), key=lambda channel: quarter_lane(channel, lanes))
        quarters = [code.shuffle(row, row, order[k * lanes : (k + 1) * lanes]) for k in range(QUARTERS)]
        return [arith.ExtSIOp(code.vector_type(lanes, "i32"), quarter).result for quarter in quarters]

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """A product and a sum."""
        return arith.AddIOp(accumulator, arith.MulIOp(x, w).result).result


WIDENED: Final = WidenedStep(1, "i32", 0)


class ByteStep(DepthwiseStep, ABC):
    """Words of four bytes."""

    def interleave(self, rows: Sequence[ir.Value]) -> list[ir.Value]:
        """Bytes of two rows to pairs, pairs to words."""
        a, b, c, d = rows
        quarters: list[ir.Value] = []
        for upper in (False, True):
            first, second = unpack(a, b, upper), unpack(c, d, upper)
            quarters += [_unpack_pairs(first, second, high) for high in (False, True)]
        return quarters


def quarter_lane(channel: int, lanes: int) -> int:
    """Where a channel of neighbouring units stands in the four quarters, one after the other."""
    unit, within = divmod(channel, UNIT)
    quarter, lane = divmod(within, RUN)
    return quarter * lanes + unit * RUN + lane


def lanes_of(value: ir.Value) -> int:
    """The number of elements of a vector."""
    return ir.VectorType(value.type).shape[0]


def unpack(a: ir.Value, b: ir.Value, upper: bool) -> ir.Value:
    """a and b element by element, of the lower or upper half of each 128 bits; i8 or i16."""
    size = lanes_of(a)
    name = str(ir.VectorType(a.type).element_type)
    unit = UNIT // code.bytes_of(name)
    first = unit // 2 if upper else 0
    lanes = [x for start in range(first, size, unit) for i in range(unit // 2) for x in (start + i, size + start + i)]
    return code.shuffle(a, b, lanes)


def _unpack_pairs(a: ir.Value, b: ir.Value, upper: bool) -> ir.Value:
    size = lanes_of(a)
    first, second = (code.bitcast(value, size // 2, "i16") for value in (a, b))
    return code.bitcast(unpack(first, second, upper), size, "i8")
