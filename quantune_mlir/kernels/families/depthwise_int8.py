"""int8 depthwise convolutions.

    for each workgroup: rows x columns pixels, some units of 16 channels              grid
      for each band of output rows
        interleave the input rows that it reads to scratch, once per column           interleaving.py
        for each phase of the weights                                                 see below
          w[row][kernel column][quarter] = weights
          for each vector of neighbouring (column, unit)
            acc[row][quarter] = bias + sum over kernel columns of x[quarter] . w[row][quarter]
            requantize, clamp, narrow the four quarters of a row together, store        epilogue.py

A row is a sequence of units, columns one after the other, so vectors are full whatever the number of channels. Which
weights a vector meets repeats after lcm(units of a vector, units of a column) units: the phases. The last vector of a
row is moved back to where it fits. A zero point z of the input is part of the bias: sum (x - z) w = sum x w - z sum w.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, lcm

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers, described
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape, convolution_shape
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue, Place
from quantune_mlir.kernels.emit.epilogue_code import epilogue_code
from quantune_mlir.kernels.emit.executable import MAX_SCALARS, Library, Signature
from quantune_mlir.kernels.emit.interleaving import Interleaving, unit_channel
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.depthwise_blocks import Block, choose_block
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.isa.depthwise import QUARTERS, RUN, UNIT, DepthwiseStep
from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.constants import constant, constant_value

Runs = tuple[tuple[Index, int], ...]
"""Where the runs of a quarter go: (element, count)."""
_Taps = dict[tuple[int, int, int], ir.Value]
"""Weights by row of the band, tap (kernel column and word) and quarter."""


def lower(group: Group, isa: Isa, library: Library) -> ir.Value | None:
    """Dispatch the kernel of a group with i8 input and one output channel for each of its channels."""
    root = group.root
    assert root is not None
    source = group.views[0].operands[0] if group.views else root.operands[0]
    shape = convolution_shape(root, source, group.views)
    block = choose_block(shape, isa.depthwise.depth, isa.lanes // RUN, isa.memory)
    epilogue = Epilogue(group, isa.tables)
    if block is None or len(epilogue.scalars) >= MAX_SCALARS:
        return None
    return Int8DepthwiseKernel(group, isa.depthwise, isa.lanes, shape, block, epilogue, source).dispatch(library)


@dataclass(frozen=True)
class Int8DepthwiseKernel:
    """The kernel of one group."""

    group: Group
    step: DepthwiseStep
    lanes: int
    shape: ConvolutionShape
    block: Block
    epilogue: Epilogue
    source: ir.Value

    @property
    def _width(self) -> int:
        """Units of a vector."""
        return self.lanes // RUN

    @property
    def _pitch(self) -> int:
        """Units of a quarter of numbers that belong to channels: a vector may begin at any unit and wraps around."""
        return self._units + self._width - 1

    @property
    def _units(self) -> int:
        return ceil(self.shape.channels / UNIT)

    @property
    def _interleaving(self) -> Interleaving:
        return Interleaving(self.shape, self.block, self.step, self._width)

    def dispatch(self, library: Library) -> ir.Value:
        """Build the kernel, unless an equal one is there, and call it."""
        shape, block = self.shape, self.block
        order = self._order()
        numbers = [self._bias()[order].reshape(-1), *self.epilogue.reordered(order)]
        inputs = [self.source, constant(self._weights()), *(constant(v) for v in numbers), *self.epilogue.tensors]
        result = ir.RankedTensorType(self.group.op.results[0].type)
        signature = Signature(
            tuple(map(described, inputs)),
            Buffers(self.epilogue).output(None),
            len(self.epilogue.scalars) + 1,
            (block.down(shape) * block.across(shape), ceil(self._units / block.units), shape.batch),
        )
        scalars = [self._zero_point(), *self.epilogue.scalars]
        roundings = [self.step.rounding, None]
        epilogue = epilogue_code(self.epilogue, "i32", self.lanes, self._limit(), roundings)
        specification = self.step, self.lanes, shape, block, epilogue
        return library.dispatch(
            self.group.family, signature, self._emit, inputs, scalars, result, specification=specification
        )

    def _zero_point(self) -> int:
        root = self.group.root
        assert root is not None
        zero_point = constant_value(root.operands[3]) if len(root.operands) > 3 else None
        return 0 if zero_point is None else int(zero_point.reshape(-1)[0])

    def _constant(self, operand: int) -> NDArray[np.generic]:
        root = self.group.root
        assert root is not None
        values = constant_value(root.operands[operand])
        assert values is not None
        return values

    def _order(self) -> NDArray[np.int64]:
        """The channel of each [quarter][unit][lane of a run]; channels that are not there repeat the last one."""
        units = np.arange(self._pitch) % self._units
        first = np.array([unit_channel(self.shape, int(unit)) for unit in units])
        quarters = np.arange(QUARTERS)[:, None, None] * RUN
        return np.minimum(first[None, :, None] + quarters + np.arange(RUN), self.shape.channels - 1)

    def _bias(self) -> NDArray[np.int32]:
        sums = self._constant(1).astype(np.int64).sum(axis=(0, 1)).reshape(-1)
        bias = np.broadcast_to(self._constant(2), (self.shape.channels,)).astype(np.int64)
        return (bias - (self._zero_point() + self.step.offset) * sums).astype(np.int32)

    def _limit(self) -> float:
        """What no accumulator exceeds in magnitude: no input is farther than 255 from the zero point."""
        sums = np.abs(self._constant(1).astype(np.int64)).sum(axis=(0, 1)).reshape(-1)
        return float((255 * sums + np.abs(self._constant(2).astype(np.int64))).max())

    def _weights(self) -> NDArray[np.int8]:
        """[row of the band][kernel column][word][quarter][unit][lane of a run][input row of the word].

        Input rows that the row does not read are 0.
        """
        (kh, kw), depth, words = self.shape.kernel, self.step.depth, self._interleaving.words
        padded = np.zeros((self.block.band, words * depth, kw, self.shape.channels), np.int8)
        for row in range(self.block.band):
            first = row * self.shape.stride[0]
            padded[row, first : first + kh] = self._constant(1)[..., 0]
        ordered = padded[..., self._order()].reshape(-1, words, depth, kw, QUARTERS, self._pitch, RUN)
        return np.ascontiguousarray(ordered.transpose(0, 3, 1, 4, 5, 6, 2)).reshape(-1)

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        shape, block = self.shape, self.block
        source, weights, bias, *rest, output = buffers
        count = len(self.epilogue.channels)
        bound = self.epilogue.bind(rest[:count], scalars[1:], rest[count:], output)
        row, column = block.start(shape, place[0])
        unit: Index = 0
        if block.units < self._units:
            unit = code.fitted(code.mul(place[1], block.units), block.units, self._units)
        image: Index = place[2] if shape.batch > 1 else 0
        zero_point = arith.TruncIOp(code.element("i8"), scalars[0]).result
        interleaving = self._interleaving
        scratch = code.scratch(interleaving.size, self.step.element)
        interleaving.pad(scratch, column, zero_point)

        def band(r: Index) -> list[ir.Value]:
            y = code.add(row, code.fitted(r, block.band, block.rows))
            interleaving.emit(source, scratch, image, y, column, unit, zero_point)
            pixel = code.add(code.mul(code.add(code.mul(image, shape.out_height), y), shape.out_width), column)
            self._emit_band(_Band(scratch, weights, bias, bound, pixel, unit))
            return []

        code.loop(0, block.rows, block.band, band)

    def _emit_band(self, band: _Band) -> None:
        width, units = self._width, self.block.units
        length = self.block.columns * units
        full = length // width
        period = lcm(width, units) // width

        def phase(p: Index) -> list[ir.Value]:
            first = code.mul(p, width)
            channels = code.add(band.unit, first if units % width == 0 else code.remainder(first, units))
            taps = self._load_taps(band, channels)
            band.bound.loaded.clear()

            def vector(v: Index) -> list[ir.Value]:
                self._emit_vector(band, code.add(first, code.mul(v, period * width)), channels, taps, width)
                return []

            code.loop(0, code.divide(code.sub(full + period - 1, p), period), 1, vector)
            band.bound.loaded.clear()
            return []

        code.loop(0, min(period, full), 1, phase)
        if length % width:
            last = max(length - width, 0)
            channels = code.add(band.unit, last % units)
            band.bound.loaded.clear()
            self._emit_vector(band, last, channels, self._load_taps(band, channels), min(length, width))
            band.bound.loaded.clear()

    def _load_taps(self, band: _Band, channels: Index) -> _Taps:
        size = RUN * self.step.depth
        taps = self.shape.kernel[1] * self._interleaving.words

        def load(row: int, tap: int, quarter: int) -> ir.Value:
            number = (row * taps + tap) * QUARTERS + quarter
            return self.step.weights(band.weights, code.mul(code.add(channels, number * self._pitch), size), self.lanes)

        rows, quarters = range(self.block.band), range(QUARTERS)
        return {
            (row, tap, quarter): load(row, tap, quarter) for row in rows for tap in range(taps) for quarter in quarters
        }

    def _emit_vector(self, band: _Band, unit: Index, channels: Index, taps: _Taps, count: int) -> None:
        """The results of neighbouring units of a band; the first `count` are there."""
        rows = range(self.block.band)
        places = [self._places(band, row, unit, count) for row in rows]
        whole = self.shape.channels >= UNIT and count == self._width and self.epilogue.element == "i8"
        limit, rounding = self._limit(), self.step.rounding if whole else None
        results: list[list[ir.Value]] = [[] for _ in rows]
        for k in range(QUARTERS):
            numbers = code.mul(code.add(channels, k * self._pitch), RUN)
            sums = [code.load(band.bias, numbers, self.lanes)] * len(rows)
            for tap in range(self.shape.kernel[1] * self._interleaving.words):
                at = self._interleaving.at(*divmod(tap, self._interleaving.words), k, unit)
                x = code.load(band.scratch, at, self.lanes * self.step.depth)
                sums = [self.step.step(sums[row], x, taps[row, tap, k]) for row in rows]
            for row in rows:
                place = Place(0, numbers, self.lanes, k, runs=places[row][k])
                result = self.epilogue.compute(sums[row], place, self.lanes, band.bound, limit, rounding)
                results[row].append(result)
        for row in rows:
            self._store(results[row], places[row], band.bound.output, whole)

    def _store(self, quarters: list[ir.Value], places: list[Runs], output: ir.Value, whole: bool) -> None:
        if not whole:
            for quarter, runs in zip(quarters, places, strict=True):
                Place(0, 0, 0, runs=runs).store(code.narrowed(quarter, self.epilogue.element), output)
            return
        packed = self.step.narrow(quarters)
        starts = [start for start, _ in places[0]]
        if self.shape.channels % UNIT == 0:
            code.store(packed, output, starts[0])
            return
        for u, start in enumerate(starts):
            code.store(code.part(packed, u * UNIT, UNIT), output, start)

    def _places(self, band: _Band, row: int, unit: Index, count: int) -> list[Runs]:
        """For each quarter, where the runs of units go."""
        shape, units = self.shape, self.block.units
        base = code.mul(code.add(band.pixel, row * shape.out_width), shape.channels)
        starts: list[Index] = []
        for u in range(count):
            if shape.channels % UNIT == 0 and units == self._units:
                starts.append(code.add(base, code.mul(unit, UNIT), u * UNIT))
                continue
            x, within = code.divide(code.add(unit, u), units), code.remainder(code.add(unit, u), units)
            channel = unit_channel(shape, code.add(band.unit, within))
            starts.append(code.add(base, code.mul(x, shape.channels), channel))
        real = min(shape.channels, UNIT)
        sizes = [max(0, min(RUN, real - k * RUN)) for k in range(QUARTERS)]
        return [tuple((code.add(start, k * RUN), sizes[k]) for start in starts) for k in range(QUARTERS)]


@dataclass(frozen=True)
class _Band:
    """Output rows that are computed together."""

    scratch: ir.Value
    weights: ir.Value
    bias: ir.Value
    bound: Bound
    pixel: Index
    """The first pixel, in the whole result."""
    unit: Index
    """The first unit of channels."""
