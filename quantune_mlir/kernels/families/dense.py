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
list of steps made from the weights takes the place of runs and steps (maddubs_list.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers, described
from quantune_mlir.kernels.emit.convolution_shapes import convolution_shape
from quantune_mlir.kernels.emit.epilogue import Place
from quantune_mlir.kernels.emit.epilogue_code import epilogue_code
from quantune_mlir.kernels.emit.executable import JoinedPart, Library, Signature
from quantune_mlir.kernels.emit.packing import Packing
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.dense_tiles import DenseTiles, InputView, Lines, choose
from quantune_mlir.kernels.families.dense_weights import in_order, joined_groups, pack_weights, padded
from quantune_mlir.kernels.families.maddubs_list import word_list
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.isa.int16 import halfword_step
from quantune_mlir.kernels.tiling.tiles import (
    reduction_steps,
)
from quantune_mlir.kernels.tiling.tuning import Kernel, Precision, Tiling
from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.constants import constant, constant_value
from quantune_mlir.mlir.edit import element_of
from quantune_mlir.mlir.tosa.channel_groups import groups_of
from quantune_mlir.mlir.tosa.evaluate import rearranged_constant
from quantune_mlir.mlir.tosa.wide_accumulators import fits_int32

_PRECISIONS: Final[dict[str, Precision]] = {"i8": "int8", "i16": "int16", "f32": "fp32"}
"""By what is read."""
_SLACK: Final = 16
"""Elements after the scratch that the last step may read; they meet weights of 0."""


def lower(group: Group, isa: Isa, library: Library, part: JoinedPart | None = None) -> ir.Value | None:
    """Dispatch the kernel of a convolution or matmul group at the current point; None if there is none for it."""
    kernel = DenseKernel.plan(group, isa, part)
    if kernel is None:
        return None
    tuned = library.tiles.get(kernel.kind) if library.tiles else None
    return (kernel.cut(tuned) if tuned else kernel).dispatch(library)


@dataclass(frozen=True)
class DenseKernel(DenseTiles):
    """The kernel of one group."""

    @staticmethod
    def plan(group: Group, isa: Isa, part: JoinedPart | None = None) -> DenseKernel | None:
        """Choose tiles; None where the group cannot be computed this way."""
        root = group.root
        assert root is not None
        source = group.views[0].operands[0] if group.views else root.operands[0]
        stored = element_of(source)
        weights = rearranged_constant(root.operands[1])
        if stored not in _PRECISIONS or weights is None or (stored == "i16" and not fits_int32(root)):
            return None
        shape = convolution_shape(root, source, group.views)
        if shape.is_pointwise:
            shape = shape.flattened()
        step = {"i8": isa.int8, "i16": halfword_step(isa), "f32": isa.fp32}[stored]
        shape = shape.grouped(joined_groups(groups_of(in_order(root, weights)), shape, step.lanes))
        words = None
        if stored == "i8" and isa.int8_words is not None and shape.groups == 1:
            words = word_list(in_order(root, weights), shape, isa.int8_words, step)
            step = words.step if words else step
        found = choose(group, shape, step, stored, isa.tables)
        if found is None:
            return None
        return DenseKernel(group, step, stored, shape, *found, source, isa.narrowing, words, part)

    @property
    def kind(self) -> Kernel:
        """What tiles are chosen by."""
        return Kernel(_PRECISIONS[self.stored], self.shape, in_words=self.words is not None)

    def cut(self, tiling: Tiling) -> DenseKernel:
        """The kernel with other tiles than the model's, which must fit it."""
        return replace(self, tile=tiling.tile, workgroup=tiling.workgroup)

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
        return library.dispatch(
            self.group.family,
            signature,
            self._emit,
            inputs,
            scalars,
            result,
            self.part,
            specification=self._specification(),
        )

    def _specification(self) -> Hashable:
        """None where the code follows from the weights themselves."""
        if self.words is not None:
            return None
        step, part = self.step, self.part and (self.part.of.channels, self.part.first)
        rounding = self.narrowing.rounding if self.narrowing and self.epilogue.element == "i8" else None
        epilogue = epilogue_code(self.epilogue, step.accumulator, step.lanes, self._limit, [rounding])
        return step, self.stored, self.shape, self.tile, self.workgroup, self.packed, part, epilogue

    @cached_property
    def _limit(self) -> float:
        """What no sum of products and bias exceeds in magnitude, if it is an integer."""
        if self.stored == "f32":
            return inf
        if self.stored == "i16":
            return 2.0**31
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
            return weights, np.zeros(self.shape.out_pixel, np.float32 if self.stored == "f32" else np.int32)
        bias = constant_value(root.operands[2])
        assert bias is not None
        return weights, np.broadcast_to(bias, (self.shape.out_pixel,))

    def _constants(self) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """Packed weights [blocks][runs][steps][vector][lane][depth], and the bias, both padded to whole vectors."""
        weights, bias = self._weights_and_bias()
        if self.stored == "i16":
            bias = bias.astype(np.int32)
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

    # What follows is built inside the kernel.

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

    def _view(
        self, source: ir.Value, image: Index, group: Index, row: Index, column: Index, padding: ir.Value
    ) -> InputView:
        """The input of the workgroup: in scratch, or where it is."""
        shape = self.shape
        (sh, sw), (top, left) = shape.stride, shape.pad
        if not self.packed:
            at = code.mul(code.add(code.mul(image, shape.height), code.mul(row, sh), -top), shape.width)
            at = code.mul(code.add(at, code.mul(column, sw), -left), shape.channels)
            line = shape.width * shape.channels
            return InputView(source, at, sh * line, sw * shape.channels, shape.dilation[0] * line, shape.dilation[1])
        packing = self._packing
        line = packing.columns * shape.channels
        scratch = code.scratch(packing.rows * line + _SLACK, self.step.element)
        packing.emit(source, scratch, image, group, row, column, self._padding(padding))
        rows = 1 if shape.kernel[0] == 1 else sh
        columns = 1 if shape.kernel[1] == 1 else sw
        down, right = packing.dilation
        return InputView(scratch, 0, rows * line, columns * shape.channels, down * line, right)

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
