"""Convolutions and matmuls: direct, without im2col, accumulators in registers from the first product to the store.

    for each workgroup: rows x columns pixels, a part of the output channels          grid
      pack its input to scratch, if it must be padded or converted                    packing.py
      for each block of output channels (`vectors` vectors of `lanes`)
        for each tile of pixels
          acc[pixel][vector] = bias
          for each run of the reduction (kernel row; its columns and channels lie side by side)
            for each step of the run (`depth` elements)
              prefetch weights of later steps, or as much of the next tile            if caches would not have them
              w[vector] = weights                                                     contiguous, packed at compile time
              for each pixel: acc[pixel][:] += broadcast(x[pixel]) . w[:]
          for each acc: requantize, clamp, add, store                                 epilogue.py

The last tile of a row or block is moved back to where it fits: it computes some pixels again. A zero point z of the
input is part of the bias: sum (x - z) w = sum x w - z sum w. Where the quickest step is not right for all weights, a
list of steps made from the weights takes the place of runs and steps (word_list.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers, described
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape, convolution_shape
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue, Place
from quantune_mlir.kernels.emit.executable import Library, Part, Signature
from quantune_mlir.kernels.emit.packing import Packing
from quantune_mlir.kernels.emit.rounding import Narrowing
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.dense_weights import in_order, joined_groups, pack_weights, padded
from quantune_mlir.kernels.families.maddubs_list import WordBuffers, WordList, word_list
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import DotStep, Isa
from quantune_mlir.kernels.tiling.tiles import (
    Tile,
    Workgroup,
    choose_tile,
    choose_workgroup,
    has_heavy_weights,
    is_packed,
    reduction_steps,
)
from quantune_mlir.kernels.tiling.tuning import Kernel, Tiling
from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.constants import constant, constant_value
from quantune_mlir.mlir.tosa.channel_groups import groups_of
from quantune_mlir.mlir.tosa.evaluate import rearranged_constant

_UNROLLED_STEPS: Final = 2
_AHEAD: Final = 24
"""Steps from the prefetch of weights to their use."""
_SLACK: Final = 16
"""Elements after the scratch that the last step may read; they meet weights of 0."""


def lower(group: Group, isa: Isa, library: Library, part: Part | None = None) -> ir.Value | None:
    """Dispatch the kernel of a convolution or matmul group at the current point; None if there is none for it."""
    kernel = DenseKernel.plan(group, isa, part)
    if kernel is None:
        return None
    tuned = library.tiles.get(kernel.kind) if library.tiles else None
    return (kernel.cut(tuned) if tuned else kernel).dispatch(library)


@dataclass(frozen=True)
class DenseKernel:
    """The kernel of one group."""

    group: Group
    step: DotStep
    stored: str
    """Element type of the input in memory."""
    shape: ConvolutionShape
    tile: Tile
    workgroup: Workgroup
    packed: bool
    epilogue: Epilogue
    source: ir.Value
    narrowing: Narrowing | None
    words: WordList | None = None
    """The steps of the reduction, if they depend on the weights."""
    part: Part | None = None

    @staticmethod
    def plan(group: Group, isa: Isa, part: Part | None = None) -> DenseKernel | None:
        """Choose tiles; None where the group cannot be computed this way."""
        root = group.root
        assert root is not None
        source = group.views[0].operands[0] if group.views else root.operands[0]
        stored = str(ir.RankedTensorType(source.type).element_type)
        weights = rearranged_constant(root.operands[1])
        if stored not in ("i8", "f32") or weights is None:
            return None
        shape = convolution_shape(root, source, group.views)
        if shape.is_pointwise:
            shape = shape.flattened()
        step = isa.int8 if stored == "i8" else isa.fp32
        shape = shape.grouped(joined_groups(groups_of(in_order(root, weights)), shape, step.lanes))
        words = None
        if stored == "i8" and isa.int8_words is not None and shape.groups == 1:
            words = word_list(in_order(root, weights), shape, isa.int8_words, step)
            step = words.step if words else step
        packed = is_packed(shape, step, stored)
        tile = choose_tile(shape, step, packed=packed)
        workgroup = choose_workgroup(shape, step, tile, packed=packed)
        epilogue = Epilogue(group)
        if workgroup is None or not Buffers(epilogue).fit:
            return None
        return DenseKernel(
            group, step, stored, shape, tile, workgroup, packed, epilogue, source, isa.narrowing, words, part
        )

    @property
    def kind(self) -> Kernel:
        """What tiles are chosen by."""
        return Kernel("int8" if self.stored == "i8" else "fp32", self.shape, in_words=self.words is not None)

    def cut(self, tiling: Tiling) -> DenseKernel:
        """The kernel with other tiles than the model's, which must fit it."""
        return replace(self, tile=tiling.tile, workgroup=tiling.workgroup)

    @property
    def _block(self) -> int:
        """Output channels of a block."""
        return self.tile.vectors * self.step.lanes

    @property
    def _streams(self) -> bool:
        """Whether the input of a tile follows that of the one before in memory."""
        return not self.packed and self.shape.is_pointwise

    def dispatch(self, library: Library) -> ir.Value:
        """Build the kernel, unless an equal one is there, and call it."""
        shape, workgroup = self.shape, self.workgroup
        weights, bias = self._constants()
        buffers = Buffers(self.epilogue)
        own = [self.source, constant(bias), constant(weights)]
        sizes = [described(value) for value in own]
        if self.words is not None:
            own.append(constant(self.words.table(self._run_offsets())))
            sizes[2:] = self.words.buffers
        result = ir.RankedTensorType(self.group.op.results[0].type)
        places = ceil(shape.out_height / workgroup.rows) * ceil(shape.out_width / workgroup.columns)
        signature = Signature(
            (*sizes, *buffers.inputs),
            buffers.output(self.part),
            len(self.epilogue.scalars) + 1,
            (places, workgroup.splits, shape.batch * shape.groups),
        )
        inputs = [*own, *buffers.tensors()]
        scalars = [self._zero_point() + self.step.offset, *self.epilogue.scalars]
        return library.dispatch(self.group.family, signature, self._emit, inputs, scalars, result, self.part)

    @cached_property
    def _limit(self) -> float:
        """What no sum of products and bias exceeds in magnitude, if it is an integer."""
        if self.stored != "i8":
            return inf
        weights, bias = self._weights_and_bias()
        sums = np.abs(weights, dtype=np.int16).sum(axis=(1, 2, 3), dtype=np.int64)
        return float((255 * sums + np.abs(bias.astype(np.int64))).max())

    def _zero_point(self) -> int:
        root = self.group.root
        assert root is not None
        position = 2 if root.name == "tosa.matmul" else 3
        zero_point = constant_value(root.operands[position]) if len(root.operands) > position else None
        return 0 if zero_point is None or self.stored == "f32" else int(zero_point.reshape(-1)[0])

    def _weights_and_bias(self) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """Weights [K, KH, KW, C] and bias [K] as the group has them."""
        root = self.group.root
        assert root is not None
        weights = rearranged_constant(root.operands[1])
        assert weights is not None
        weights = in_order(root, weights)
        if root.name == "tosa.matmul":
            return weights, np.zeros(self.shape.out_pixel, np.int32 if self.stored == "i8" else np.float32)
        bias = constant_value(root.operands[2])
        assert bias is not None
        return weights, np.broadcast_to(bias, (self.shape.out_pixel,))

    def _constants(self) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """Packed weights [blocks][runs][steps][vector][lane][depth], and the bias, both padded to whole vectors."""
        weights, bias = self._weights_and_bias()
        if self.stored == "i8":
            sums = weights.sum(axis=(1, 2, 3), dtype=np.int64)
            bias = (bias - (self._zero_point() + self.step.offset) * sums).astype(np.int32)
        biases = [padded(part, self.step.lanes) for part in np.split(bias, self.shape.groups)]
        packed = self.words.weights if self.words else self._packed(weights)
        return packed, np.concatenate(biases)

    def _packed(self, weights: NDArray[np.generic]) -> NDArray[np.generic]:
        """Those of each group."""
        width = self.shape.channels
        groups = enumerate(np.split(weights, self.shape.groups))
        parts = [part[..., group * width : (group + 1) * width] for group, part in groups]
        return np.concatenate([pack_weights(part, self.shape, self.step, self.tile) for part in parts])

    def _run_offsets(self) -> list[int]:
        """Where in the packed input each run of the reduction begins, of a pixel."""
        shape = self.shape
        line = self._packing.columns * shape.channels
        kh, (down, right) = shape.kernel[0], self._packing.dilation
        in_a_row = reduction_steps(shape, self.step.depth)[0] // kh
        rows = [r * down * line for r in range(kh)]
        return [row + s * right * shape.channels for row in rows for s in range(in_a_row)]

    @property
    def _packing(self) -> Packing:
        step = self.step
        return Packing(self.shape, self.workgroup, step.lanes * step.depth, step.pack, step.element)

    # What follows is built inside the kernel. First what differs where the weights are not constant (product.py).

    def prepared(self, lines: Lines) -> Lines:
        """What all tiles of a workgroup need besides."""
        return lines

    def weights_of(self, image: Index) -> Index:
        """Where the weights for an image begin."""
        return 0

    def weight_strides(self, vectors: int) -> tuple[int, int]:
        """Elements from the weights of a step to those of the next, and from those of a vector to those of the next."""
        apart = self.step.lanes * self.step.depth
        return vectors * apart, apart

    def bias(self, lines: Lines, channel: Index) -> ir.Value:
        """What the sums of a vector of channels begin with."""
        return code.load(lines.bias, channel, self.step.lanes)

    def corrected(self, sums: list[list[ir.Value]], lines: Lines, column: Index) -> list[list[ir.Value]]:
        """The sums of each pixel of a tile as the epilogue takes them."""
        return sums

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        shape, workgroup = self.shape, self.workgroup
        source, bias, weights, *rest, output = buffers
        table = rest.pop(0) if self.words else None
        count = len(self.epilogue.channels)
        bound = self.epilogue.bind(rest[:count], scalars[1:], rest[count:], output)
        across = ceil(shape.out_width / workgroup.columns)
        down, right = code.divide(place[0], across), code.remainder(place[0], across)
        row = code.fitted(code.mul(down, workgroup.rows), workgroup.rows, shape.out_height)
        column = code.fitted(code.mul(right, workgroup.columns), workgroup.columns, shape.out_width)
        many = place[2] if shape.batch * shape.groups > 1 else 0
        image, group = code.divide(many, shape.groups), code.remainder(many, shape.groups)
        view = self._view(source, image, group, row, column, scalars[0])
        lines = self.prepared(Lines(view, source, weights, bias, table, bound, image, group, row, column))
        full, rest_channels = divmod(shape.out_channels, self._block)
        split: Index = place[1] if workgroup.splits > 1 else 0
        first, last = (workgroup.first_block(code.add(split, ends), full) for ends in (0, 1))

        def block(i: Index) -> list[ir.Value]:
            self._emit_block(lines, code.mul(i, self._block), self._block)
            return []

        code.loop(first, last, 1, block)
        if not rest_channels:
            return
        if workgroup.splits == 1:
            self._emit_block(lines, full * self._block, rest_channels)
        else:
            is_last = arith.CmpIOp(arith.CmpIPredicate.eq, code.index(split), code.index(workgroup.splits - 1)).result
            code.when(is_last, lambda: self._emit_block(lines, full * self._block, rest_channels), lambda: None)

    def _view(self, source: ir.Value, image: Index, group: Index, row: Index, column: Index, padding: ir.Value) -> View:
        """The input of the workgroup: in scratch, or where it is."""
        shape = self.shape
        (sh, sw), (top, left) = shape.stride, shape.pad
        if not self.packed:
            at = code.mul(code.add(code.mul(image, shape.height), code.mul(row, sh), -top), shape.width)
            at = code.mul(code.add(at, code.mul(column, sw), -left), shape.channels)
            line = shape.width * shape.channels
            return View(source, at, sh * line, sw * shape.channels, shape.dilation[0] * line, shape.dilation[1])
        packing = self._packing
        line = packing.columns * shape.channels
        scratch = code.scratch(packing.rows * line + _SLACK, self.step.element)
        packing.emit(source, scratch, image, group, row, column, self._padding(padding))
        rows = 1 if shape.kernel[0] == 1 else sh
        columns = 1 if shape.kernel[1] == 1 else sw
        down, right = packing.dilation
        return View(scratch, 0, rows * line, columns * shape.channels, down * line, right)

    def _padding(self, zero_point: ir.Value) -> ir.Value:
        if self.step.element == "f32":
            return code.constant(0.0, "f32")
        return arith.TruncIOp(code.element(self.step.element), zero_point).result

    def _emit_block(self, lines: Lines, channel: Index, channels: int) -> None:
        """All pixels of the workgroup, for neighbouring output channels."""
        tile, workgroup, shape = self.tile, self.workgroup, self.shape
        vectors = ceil(channels / self.step.lanes)
        made = code.add(code.mul(lines.group, shape.out_channels), channel)

        def at(r: Index, c: Index, missing: Sequence[set[int]] = ()) -> None:
            accumulators = self.corrected(self._accumulate(lines, channel, vectors, r, c, missing), lines, c)
            lines.bound.loaded.clear()
            results: list[tuple[ir.Value, Place]] = []
            pixels = [(i, j) for i in range(tile.rows) for j in range(tile.columns)]
            for (i, j), row in zip(pixels, accumulators, strict=True):
                y = code.add(code.mul(lines.image, shape.out_height), lines.row, r, i)
                pixel = code.add(code.mul(y, shape.out_width), lines.column, c, j)
                base = code.add(code.mul(pixel, shape.out_pixel), made)
                for v, accumulator in enumerate(row):
                    first = v * self.step.lanes
                    count = min(self.step.lanes, channels - first)
                    to = None
                    if self.part is not None:
                        to = code.add(code.mul(pixel, self.part.of.channels), made, self.part.first + first)
                    place = Place(code.add(base, first), code.add(made, first), count, v, to=to)
                    results.append((accumulator, place))
            self.epilogue.finish_all(results, self.step.lanes, lines.bound, self._limit, self.narrowing)

        def row(r: Index) -> list[ir.Value]:
            r = code.fitted(r, tile.rows, workgroup.rows)
            first, last, borders = self._columns()
            for c, missing in borders:
                at(r, c, missing)

            def column(c: Index) -> list[ir.Value]:
                at(r, code.fitted(c, tile.columns, workgroup.columns))
                return []

            code.loop(first, last, tile.columns, column)
            return []

        code.loop(0, workgroup.rows, tile.rows, row)

    def _columns(self) -> tuple[int, int, list[tuple[int, list[set[int]]]]]:
        """Where tiles start: range of those inside the image, and the others with what they miss.

        For each kernel column, the pixels of the tile that would read beyond the image there.
        """
        shape, tile = self.shape, self.tile
        if self.packed or not shape.pads:
            return 0, self.workgroup.columns, []
        inside: list[int] = []
        borders: list[tuple[int, list[set[int]]]] = []
        for start in range(0, shape.out_width, tile.columns):
            c = min(start, shape.out_width - tile.columns)
            missing = [
                {
                    j
                    for j in range(tile.columns)
                    if not 0 <= (c + j) * shape.stride[1] - shape.pad[1] + s * shape.dilation[1] < shape.width
                }
                for s in range(shape.kernel[1])
            ]
            if any(missing):
                borders.append((c, missing))
            else:
                inside.append(start)
        return (inside[0], inside[-1] + 1, borders) if inside else (0, 0, borders)

    def _accumulate(
        self, lines: Lines, channel: Index, vectors: int, row: Index, column: Index, missing: Sequence[set[int]]
    ) -> list[list[ir.Value]]:
        """The sums of a tile, for each pixel and vector; `missing` as `_columns` gives it, empty inside the image."""
        tile, step, view, shape = self.tile, self.step, lines.view, self.shape
        runs, steps = reduction_steps(shape, step.depth)
        weight, apart = self.weight_strides(vectors)
        lanes = ceil(shape.out_channels / step.lanes) * step.lanes
        channel_of_all = code.add(code.mul(lines.group, lanes), channel)
        start = code.add(self.weights_of(lines.image), code.mul(channel_of_all, runs * steps * step.depth))
        base = code.add(view.at, code.mul(row, view.row), code.mul(column, view.column))
        offsets = [i * view.row + j * view.column for i in range(tile.rows) for j in range(tile.columns)]
        whole = [*offsets, *offsets[-1:] * (-len(offsets) % step.pixels)]
        together = [whole[i : i + step.pixels] for i in range(0, len(whole), step.pixels)]
        biases = [self.bias(lines, code.add(channel_of_all, v * step.lanes)) for v in range(vectors)]
        if self.words is not None and lines.table is not None:
            buffers = WordBuffers(view.buffer, lines.weights, lines.table)
            block = code.divide(channel, self._block)
            return [[sums] for sums in self.words.emit(buffers, block, base, offsets, biases[0])]

        def one_step(x_at: Index, w_at: Index, pixels: Sequence[int], sums: Sequence[ir.Value]) -> list[ir.Value]:
            places = [code.add(w_at, v * apart) for v in range(vectors)]
            columns = [step.weights(lines.weights, place) for place in places]
            result: list[ir.Value] = []
            for position, p in enumerate(pixels):
                x = step.inputs(view.buffer, [code.add(x_at, offset) for offset in together[p]])
                result += [step.step(sums[position * vectors + v], x, columns[v]) for v in range(vectors)]
            return result

        def one_run(
            x_at: Index, w_at: Index, count: int, pixels: Sequence[int], sums: Sequence[ir.Value]
        ) -> list[ir.Value]:
            if count <= _UNROLLED_STEPS:
                for j in range(count):
                    sums = one_step(code.add(x_at, j * step.depth), code.add(w_at, j * weight), pixels, sums)
                return list(sums)

            def several(j: Index, turns: int, sums: Sequence[ir.Value]) -> list[ir.Value]:
                x_of_step, w_of_step = code.add(x_at, code.mul(j, step.depth)), code.add(w_at, code.mul(j, weight))
                for turn in range(turns):
                    places = code.add(x_of_step, turn * step.depth), code.add(w_of_step, turn * weight)
                    sums = one_step(*places, pixels, sums)
                return list(sums)

            def body(j: Index, *carried: ir.Value) -> list[ir.Value]:
                if self._streams and step.prefetches:
                    share = len(offsets) * step.depth
                    code.prefetch(view.buffer, code.add(x_at, code.mul(j, share), count * share))
                if has_heavy_weights(shape, step) and step.prefetches:
                    w_of_step = code.add(w_at, code.mul(j, weight))
                    for first in range(0, weight, step.memory.line // step.weight_bytes):
                        code.prefetch(lines.weights, code.add(w_of_step, _AHEAD * weight, first))
                return several(j, step.unrolled, carried)

            rest = count % step.unrolled
            return several(count - rest, rest, code.loop(0, count - rest, step.unrolled, body, sums))

        kh, kw = shape.kernel
        everywhere = range(len(together))
        of_row = runs // kh * steps
        in_a_row = kw if missing else runs // kh
        of_run = of_row // in_a_row

        def kernel_row(r: Index, *carried: ir.Value) -> list[ir.Value]:
            sums = list(carried)
            for s in range(in_a_row):
                pixels = [p for p in everywhere if not missing or p not in missing[s]]
                picked = [p * vectors + v for p in pixels for v in range(vectors)]
                x_at = code.add(base, code.mul(r, view.kernel_row), s * view.kernel_column * shape.channels)
                w_at = code.add(start, code.mul(r, of_row * weight), s * of_run * weight)
                found = one_run(x_at, w_at, of_run, pixels, [sums[i] for i in picked])
                for i, value in zip(picked, found, strict=True):
                    sums[i] = value
            return sums

        first, last = self._kernel_rows(lines, row)
        initial = [step.start(biases[v]) for _ in together for v in range(vectors)]
        flat = [step.unpack(sums) for sums in code.loop(first, last, 1, kernel_row, initial)]
        rows = [
            [flat[p + v][i] for v in range(vectors)] for p in range(0, len(flat), vectors) for i in range(step.pixels)
        ]
        return rows[: len(offsets)]

    def _kernel_rows(self, lines: Lines, row: Index) -> tuple[Index, Index]:
        """The kernel rows that lie in the image for a tile of one row; all of them if the input was padded."""
        shape = self.shape
        kh, dh = shape.kernel[0], shape.dilation[0]
        if self.packed or not shape.pads:
            return 0, kh
        top = code.add(code.mul(code.add(lines.row, row), shape.stride[0]), -shape.pad[0])
        before = code.maximum(code.sub(0, top), 0)
        below = code.maximum(code.sub(shape.height, top), 0)
        first = code.divide(code.add(before, dh - 1), dh)
        return code.minimum(first, kh), code.minimum(code.divide(code.add(below, dh - 1), dh), kh)


@dataclass(frozen=True)
class View:
    """Where a workgroup finds its input: an element, and the distances of output rows, columns and kernel rows."""

    buffer: ir.Value
    at: Index
    row: int
    column: int
    kernel_row: int
    kernel_column: int
    """In pixels."""


@dataclass(frozen=True)
class Lines:
    """What all blocks of a workgroup share."""

    view: View
    source: ir.Value
    weights: ir.Value
    bias: ir.Value
    table: ir.Value | None
    """Of the word list."""
    bound: Bound
    image: Index
    group: Index
    row: Index
    column: Index
    row_terms: ir.Value | None = None
    """Of a product of two int8 tensors, what is added to all sums of a pixel."""
