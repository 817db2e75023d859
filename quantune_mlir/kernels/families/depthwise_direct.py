"""Depthwise convolutions of fp32 and i16: straight from the input, without a padded copy.

    for each workgroup: some rows, a part of the channels                             grid
      for each block of `lanes` channels
        w[kernel row][kernel column] = weights                                        in registers
        for each tile of rows x columns pixels
          acc[pixel] = bias
          for each input pixel that the tile reads: x = load
            for each output pixel it belongs to: acc[pixel] += x * w                  one load serves up to all taps
          for each acc: clamp, add, store                                             epilogue.py

What reads outside the image at the left and right is code of its own, in which such taps do not exist: of wide images
a narrow tile each, else tiles like others. Rows outside read as 0, where the first or last row of a tile is outside;
in tall images such tiles are narrow, for less code to compile. The last tile or block is moved back to where it fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers, described
from quantune_mlir.kernels.emit.byte_tables import ByteTables
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape, convolution_shape
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue, Place
from quantune_mlir.kernels.emit.epilogue_code import epilogue_code
from quantune_mlir.kernels.emit.executable import Library, Signature
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import DotStep
from quantune_mlir.kernels.tiling.thread_balance import START_CYCLES, Load, most_even, part_sizes
from quantune_mlir.kernels.tiling.tiles import scratch_columns, scratch_rows
from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.constants import constant, constant_value


def lower(group: Group, step: DotStep, tables: ByteTables | None, library: Library) -> ir.Value | None:
    """Dispatch the kernel of a group with f32 or i16 input and one output channel for each of its channels.

    `step` multiplies and adds in the lane of each channel.
    """
    root = group.root
    assert root is not None
    source = group.views[0].operands[0] if group.views else root.operands[0]
    shape = convolution_shape(root, source, group.views)
    epilogue = Epilogue(group, tables)
    if not Buffers(epilogue).fit:
        return None
    tile = choose_tile(shape, step)
    share = choose_share(shape, step, tile)
    return DirectDepthwiseKernel(group, step, shape, tile, share, epilogue, source).dispatch(library)


_TALL: Final = 32
"""Tiles one below the other, of which those at the top and the bottom are few."""
_WIDE: Final = 3
"""Tiles side by side, beside which narrow ones are few."""
_NARROW: Final = 4
"""Columns of a tile."""


@dataclass(frozen=True)
class DepthwiseTile:
    """Output pixels that are computed together."""

    rows: int
    columns: int


@dataclass(frozen=True)
class Share:
    """What a workgroup computes: some rows, some blocks of channels."""

    rows: int
    blocks: int


def choose_tile(shape: ConvolutionShape, step: DotStep) -> DepthwiseTile:
    """The tile with the least modelled cycles."""

    def cycles(tile: DepthwiseTile) -> float:
        return ceil(shape.out_height / tile.rows) * _row_cycles(shape, step, tile)

    return min(_tiles(shape, step.registers), key=cycles)


def _row_cycles(shape: ConvolutionShape, step: DotStep, tile: DepthwiseTile) -> float:
    """Cycles of a row of tiles of a block of channels."""
    left, right = _inside(shape)
    if not _is_wide(shape, tile.columns):
        return ceil(shape.out_width / tile.columns) * _tile_cycles(shape, step, tile)
    edges = [width for width in (left, shape.out_width - right) if width]
    narrow = sum(_tile_cycles(shape, step, DepthwiseTile(tile.rows, width)) for width in edges)
    return narrow + ceil((right - left) / tile.columns) * _tile_cycles(shape, step, tile)


def _inside(shape: ConvolutionShape) -> tuple[int, int]:
    """The first output column that reads inside the image only, and the one after the last."""
    stride, pad, reach = shape.stride[1], shape.pad[1], (shape.kernel[1] - 1) * shape.dilation[1]
    left = max(0, ceil(pad / stride))
    return left, min(shape.out_width, (shape.width - 1 - reach + pad) // stride + 1)


def _is_wide(shape: ConvolutionShape, columns: int) -> bool:
    """Whether there are enough whole tiles between narrow ones at the edges."""
    left, right = _inside(shape)
    return right - left >= _WIDE * columns and max(left, shape.out_width - right) <= columns


def _tile_cycles(shape: ConvolutionShape, step: DotStep, tile: DepthwiseTile) -> float:
    """Cycles of a block of channels: two products and two loads a cycle, four cycles of latency."""
    taps = prod(shape.kernel)
    pixels = tile.rows * tile.columns
    products = pixels * taps
    loads = _span(tile.rows, shape, 0) * _span(tile.columns, shape, 1)
    if pixels + taps >= step.registers:
        loads += products
    return max(products / 2, loads / 2, 2 * taps) + 2 * pixels + 4


def _tiles(shape: ConvolutionShape, registers: int) -> Iterator[DepthwiseTile]:
    most = registers // 2
    for rows in range(1, min(4, shape.out_height) + 1):
        for columns in range(1, min(most // rows, shape.out_width) + 1):
            yield DepthwiseTile(rows, columns)


def _span(count: int, shape: ConvolutionShape, axis: int) -> int:
    """Input rows (axis 0) or columns (axis 1) from the first to the last that `count` outputs read."""
    return (count - 1) * shape.stride[axis] + (shape.kernel[axis] - 1) * shape.dilation[axis] + 1


def choose_share(shape: ConvolutionShape, step: DotStep, tile: DepthwiseTile) -> Share:
    """Whole rows of tiles and blocks of channels that threads share evenly."""
    blocks = ceil(shape.channels / step.lanes)
    row = _row_cycles(shape, step, tile)

    def load(share: Share) -> Load:
        parts = shape.batch * ceil(shape.out_height / share.rows) * ceil(blocks / share.blocks)
        return Load(parts, (START_CYCLES + ceil(share.rows / tile.rows) * share.blocks * row,))

    rows = part_sizes(shape.out_height, tile.rows, shape.out_height)
    shares = [Share(r, b) for b in part_sizes(blocks, 1, blocks) for r in rows]
    return most_even((share, load(share)) for share in shares)


@dataclass(frozen=True)
class DirectDepthwiseKernel:
    """The kernel of one group."""

    group: Group
    step: DotStep
    shape: ConvolutionShape
    tile: DepthwiseTile
    share: Share
    epilogue: Epilogue
    source: ir.Value

    @property
    def _blocks(self) -> int:
        return ceil(self.shape.channels / self.step.lanes)

    @property
    def _count(self) -> int:
        """Channels of a block."""
        return min(self.shape.channels, self.step.lanes)

    def dispatch(self, library: Library) -> ir.Value:
        """Build the kernel, unless an equal one is there, and call it."""
        shape, share = self.shape, self.share
        buffers = Buffers(self.epilogue)
        own = [self.source, *map(constant, self._constants())]
        result = ir.RankedTensorType(self.group.op.results[0].type)
        signature = Signature(
            (*map(described, own), *buffers.inputs),
            buffers.output(None),
            len(self.epilogue.scalars),
            (ceil(shape.out_height / share.rows), ceil(self._blocks / share.blocks), shape.batch),
        )
        inputs = [*own, *buffers.tensors()]
        epilogue = epilogue_code(self.epilogue, self.step.accumulator, self.step.lanes)
        specification = self.step, shape, self.tile, share, epilogue
        return library.dispatch(
            self.group.family,
            signature,
            self._emit,
            inputs,
            self.epilogue.scalars,
            result,
            specification=specification,
        )

    def _constants(self) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """Weights [block][kernel row][kernel column][lane], bias [block][lane]."""
        root = self.group.root
        assert root is not None
        weights, bias = constant_value(root.operands[1]), constant_value(root.operands[2])
        assert weights is not None
        assert bias is not None
        lanes, channels = self.step.lanes, self.shape.channels
        firsts = np.array([_fitted_block(block * lanes, lanes, channels) for block in range(self._blocks)])
        order = np.minimum(firsts[:, None] + np.arange(lanes), channels - 1)
        blocks = weights[..., 0][:, :, order].transpose(2, 0, 1, 3)
        summed = np.float32 if self.step.accumulator == "f32" else np.int32
        biases = np.broadcast_to(bias, (channels,)).astype(summed)[order]
        return np.ascontiguousarray(blocks).reshape(-1), biases.reshape(-1)

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        shape, share = self.shape, self.share
        source, weights, bias, *rest, output = buffers
        count = len(self.epilogue.channels)
        bound = self.epilogue.bind(rest[:count], scalars, rest[count:], output)
        row: Index = 0
        if share.rows < shape.out_height:
            row = code.fitted(code.mul(place[0], share.rows), share.rows, shape.out_height)
        image: Index = place[2] if shape.batch > 1 else 0
        first: Index = code.mul(place[1], share.blocks) if share.blocks < self._blocks else 0
        part = _Part(
            source, weights, bias, bound, image, (first, code.minimum(code.add(first, share.blocks), self._blocks))
        )

        def tiles(part: _Part) -> None:
            def body(r: Index) -> list[ir.Value]:
                self._emit_rows(part, code.add(row, code.fitted(r, self.tile.rows, share.rows)))
                return []

            code.loop(0, share.rows, self.tile.rows, body)

        if self._channels_first:
            tiles(part)
        else:
            self._for_each_block(part, tiles)

    @property
    def _channels_first(self) -> bool:
        """Whether all channels of a tile come before the next tile, in the order of memory.

        It is better the other way round if what a block of channels reads stays in the first-level cache.
        """
        rows, columns = scratch_rows(self.shape, self.share.rows), scratch_columns(self.shape, self.shape.out_width)
        return rows * columns * self.step.lanes * code.bytes_of(self.step.element) > self.step.memory.l1

    def _for_each_block(self, part: _Part, body: Callable[[_Part], None]) -> None:
        def one(b: Index) -> list[ir.Value]:
            body(replace(part, blocks=(b, code.add(b, 1)), loaded=self._load_block(part, b)))
            return []

        code.loop(*part.blocks, 1, one)

    def _load_block(self, part: _Part, b: Index) -> _Block:
        lanes, taps = self.step.lanes, prod(self.shape.kernel)
        base = code.mul(b, taps * lanes)
        weights = [self.step.weights(part.weights, code.add(base, tap * lanes)) for tap in range(taps)]
        bias = code.load(part.bias, code.mul(b, lanes), lanes)
        return _Block(weights, bias, _fitted_block(code.mul(b, lanes), lanes, self.shape.channels))

    def _emit_rows(self, part: _Part, row: Index) -> None:
        """A row of tiles."""
        shape = self.shape
        sh, top = shape.stride[0], shape.pad[0]
        span = _span(self.tile.rows, shape, 0)
        first = code.add(code.mul(row, sh), -top)
        inside = list(range(span))

        def inner() -> None:
            self._emit_tiles(part, row, [_Line(code.add(first, i)) for i in inside])

        def border() -> None:
            lines = [code.add(first, i) for i in inside]
            clipped = [code.minimum(code.maximum(y, 0), shape.height - 1) for y in lines]
            checks = [code.is_within(y, shape.height) for y in lines]
            is_tall = shape.out_height >= _TALL * self.tile.rows
            columns = min(self.tile.columns, _NARROW) if is_tall else self.tile.columns
            narrow = replace(self, tile=DepthwiseTile(self.tile.rows, columns))
            narrow._emit_tiles(part, row, [_Line(y, check) for y, check in zip(clipped, checks, strict=True)])

        firsts = [start * sh - top for start in self._row_starts()]
        within = {each >= 0 and each + span <= shape.height for each in firsts}
        if within == {True}:
            inner()
        elif within == {False}:
            border()
        else:
            low, high = (code.is_within(code.add(first, i), shape.height) for i in (0, span - 1))
            code.when(arith.AndIOp(low, high).result, inner, border)

    def _row_starts(self) -> set[int]:
        """Where a row of tiles may begin."""
        shape, share, size = self.shape, self.share.rows, self.tile.rows
        parts = {min(first, shape.out_height - share) for first in range(0, shape.out_height, share)}
        return {part + min(first, share - size) for part in parts for first in range(0, share, size)}

    def _emit_tiles(self, part: _Part, row: Index, lines: list[_Line]) -> None:
        shape, size = self.shape, self.tile.columns
        left, right = _inside(shape)

        def emit(start: Index, width: int, valid: list[bool]) -> None:
            kernel = replace(self, tile=DepthwiseTile(self.tile.rows, width))
            first = code.add(code.mul(start, shape.stride[1]), -shape.pad[1])

            def tile(part: _Part) -> None:
                assert part.loaded is not None
                kernel._emit_tile(part, part.loaded, row, start, lines, first, valid)

            if part.loaded is None:
                self._for_each_block(part, tile)
            else:
                tile(part)

        def edge(start: int, width: int) -> None:
            x = start * shape.stride[1] - shape.pad[1]
            emit(start, width, [0 <= x + j < shape.width for j in range(_span(width, shape, 1))])

        def inner(start: Index) -> list[ir.Value]:
            emit(start, size, [True] * _span(size, shape, 1))
            return []

        if _is_wide(shape, size):
            count = right - left
            code.loop(0, count, size, lambda c: inner(code.add(left, code.fitted(c, size, count))))
            for start, width in ((0, left), (right, shape.out_width - right)):
                if width:
                    edge(start, width)
            return
        starts = [min(c, shape.out_width - size) for c in range(0, shape.out_width, size)]
        whole = [start for start in starts if start % size == 0 and left <= start and start + size <= right]
        if whole:
            code.loop(whole[0], whole[-1] + 1, size, inner)
        for start in starts:
            if start not in whole:
                edge(start, size)

    def _emit_tile(
        self,
        part: _Part,
        block: _Block,
        row: Index,
        column: Index,
        lines: list[_Line],
        first: Index,
        valid: list[bool],
    ) -> None:
        tile, shape, lanes = self.tile, self.shape, self.step.lanes
        (sh, sw), (dh, dw), (kh, kw) = shape.stride, shape.dilation, shape.kernel
        part.bound.loaded.clear()
        sums = {(i, j): block.bias for i in range(tile.rows) for j in range(tile.columns)}
        zero = code.splat(0, lanes, self.step.element)
        for i, line in enumerate(lines):
            by_row = [(out, r) for out in range(tile.rows) for r in range(kh) if out * sh + r * dh == i]
            at = code.mul(code.add(code.mul(part.image, shape.height), line.row), shape.width)
            for j, is_valid in enumerate(valid):
                by_column = [(out, s) for out in range(tile.columns) for s in range(kw) if out * sw + s * dw == j]
                if not (is_valid and by_row and by_column):
                    continue
                element = code.add(code.mul(code.add(at, first, j), shape.channels), block.channel)
                x = code.load_lanes(part.source, element, self._count, lanes)
                if line.inside is not None:
                    x = code.select(line.inside, x, zero)
                for y, r in by_row:
                    for z, s in by_column:
                        sums[y, z] = self.step.step(sums[y, z], x, block.weights[r * kw + s])
        for (i, j), value in sums.items():
            y = code.add(code.mul(part.image, shape.out_height), row, i)
            pixel = code.add(code.mul(y, shape.out_width), column, j)
            base = code.add(code.mul(pixel, shape.channels), block.channel)
            self.epilogue.finish(value, Place(base, block.channel, self._count), lanes, part.bound)


@dataclass(frozen=True)
class _Line:
    """An input row, and whether it is inside the image if that is not known."""

    row: Index
    inside: ir.Value | None = None


@dataclass(frozen=True)
class _Block:
    """What the lanes of a block of channels have in common."""

    weights: list[ir.Value]
    bias: ir.Value
    channel: Index


@dataclass(frozen=True)
class _Part:
    """What a workgroup works on."""

    source: ir.Value
    weights: ir.Value
    bias: ir.Value
    bound: Bound
    image: Index
    blocks: tuple[Index, Index]
    """From the first block of channels to after the last."""
    loaded: _Block | None = None
    """The block, if it is one that was chosen already."""


def _fitted_block(first: Index, lanes: int, channels: int) -> Index:
    return 0 if channels < lanes else code.fitted(first, lanes, channels)
