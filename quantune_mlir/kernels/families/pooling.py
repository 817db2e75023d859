"""Maxima, averages and sums over windows of pixels, accumulators in registers.

    for each workgroup: rows of the output, a part of the channels                      grid
      for each pixel of it
        for each block of neighbouring channels
          for each row and column of the window: acc = combine(acc, prologue(x))        reductions.py
          divide an average; the epilogue; store                                        epilogue.py

The last block of channels is moved back to where it fits: it computes some channels again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers, described
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue, Place
from quantune_mlir.kernels.emit.executable import JoinedPart, Library, Signature
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.emit.window_shape import window_shape
from quantune_mlir.kernels.families.reductions import Average, Largest, PixelWindow, Reduction, Sum
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import ir

_UNROLLED: Final = 16
_VECTORS: Final = 4
_WORKGROUPS: Final = 4
_READS_OF_A_WORKGROUP: Final = 65_536
"""Elements below which a workgroup is not worth its start."""


def lower(group: Group, isa: Isa, library: Library, part: JoinedPart | None = None) -> ir.Value | None:
    """Dispatch the kernel of a pooling group at the current point; None if there is none for it."""
    root = group.root
    assert root is not None
    _, stored = described(group.source)
    epilogue = Epilogue(group, isa.tables)
    buffers = Buffers(epilogue)
    reduction = _reduction(root, epilogue, stored)
    if reduction is None or stored not in ("i8", "f32") or not buffers.fit:
        return None
    return _Kernel(group, window_shape(group), reduction, epilogue, isa.lanes, part).dispatch(buffers, library)


def _reduction(root: ir.Operation, epilogue: Epilogue, stored: str) -> Reduction | None:
    match root.name:
        case "tosa.max_pool2d":
            return Largest(stored)
        case "tosa.avg_pool2d":
            return Average.of(root, stored)
        case _:
            return Sum("i32" if described(root.results[0])[1] == "i32" else "f32", epilogue)


@dataclass(frozen=True)
class _Kernel:
    group: Group
    shape: ConvolutionShape
    reduction: Reduction
    epilogue: Epilogue
    lanes: int
    part: JoinedPart | None

    @property
    def _block(self) -> list[tuple[int, int]]:
        """Neighbouring channels computed together: the (offset, length) of each vector, only the last one not full."""
        whole = self._block_size // self.lanes * self.lanes
        vectors = code.powers(whole, self.lanes * self.reduction.wider)
        rest = self._block_size - whole
        return [*vectors, (whole, rest)] if rest else vectors

    @property
    def _block_size(self) -> int:
        return min(self.shape.channels, self.lanes * _VECTORS)

    @property
    def _grid(self) -> tuple[int, int, int]:
        """Workgroups along rows, channels and images."""
        shape = self.shape
        reads = shape.out_height * shape.out_width * shape.channels * shape.kernel[0] * shape.kernel[1]
        wanted = max(1, min(_WORKGROUPS, reads // _READS_OF_A_WORKGROUP))
        rows = min(wanted, shape.out_height)
        splits = min(ceil(wanted / rows), ceil(shape.channels / self._block_size))
        return rows, splits, shape.batch

    def dispatch(self, buffers: Buffers, library: Library) -> ir.Value:
        inputs = (described(self.group.source), *buffers.inputs)
        signature = Signature(inputs, buffers.output(self.part), len(self.epilogue.scalars), self._grid)
        result = ir.RankedTensorType(self.group.op.results[0].type)
        tensors = [self.group.source, *buffers.tensors()]
        return library.dispatch(
            self.group.family, signature, self._emit, tensors, self.epilogue.scalars, result, self.part
        )

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        shape = self.shape
        rows, splits, _ = self._grid
        source, *inputs, output = buffers
        count = len(self.epilogue.channels)
        bound = self.epilogue.bind(inputs[:count], scalars, inputs[count:], output)
        image: Index = place[2] if shape.batch > 1 else 0
        height = ceil(shape.out_height / rows)
        first_row = code.mul(place[0], height) if rows > 1 else 0
        width = ceil(shape.channels / splits / self._block_size) * self._block_size
        first_channel = code.mul(place[1], width) if splits > 1 else 0
        last_channel = code.minimum(code.add(first_channel, width), shape.channels)

        def row(y: Index) -> list[ir.Value]:
            def column(x: Index) -> list[ir.Value]:
                def block(k: Index) -> list[ir.Value]:
                    channel = code.fitted(k, self._block_size, shape.channels)
                    self._emit_block(source, bound, (image, y, x), channel)
                    return []

                code.loop(first_channel, last_channel, self._block_size, block)
                self._fill(output, self._pixel(image, y, x))
                return []

            code.loop(0, shape.out_width, 1, column)
            return []

        code.loop(first_row, code.minimum(code.add(first_row, height), shape.out_height), 1, row)

    def _emit_block(self, source: ir.Value, bound: Bound, at: tuple[Index, Index, Index], channel: Index) -> None:
        shape = self.shape
        image, y, x = at
        window = PixelWindow.at(shape, y, x, clamps=self.reduction.clamps)
        start = code.mul(image, shape.height)
        bound.loaded.clear()

        def element(row: Index, column: Index) -> Index:
            pixel = code.add(code.mul(code.add(start, row), shape.width), column)
            return code.add(code.mul(pixel, shape.channels), channel)

        def combine(row: Index, column: Index, sums: Sequence[ir.Value]) -> list[ir.Value]:
            base = element(row, column)
            bound.loaded.clear()
            result: list[ir.Value] = []
            for position, (first, count) in enumerate(self._block):
                at = code.add(base, first)
                place = Place(at, code.add(channel, first), count, position)
                lanes = max(count, self.lanes)
                loaded = code.load_lanes(source, at, count, lanes)
                result.append(self.reduction.combine(sums[position], loaded, place, lanes, bound))
            return result

        initial = [self.reduction.initial(max(count, self.lanes)) for _, count in self._block]
        sums = window.reduce(combine, initial, _UNROLLED)
        bound.loaded.clear()
        pixel = self._pixel(*at)
        for (first, count), total in zip(self._block, sums, strict=True):
            for inside in range(0, count, self.lanes):
                piece = code.part(total, inside, self.lanes)
                lanes_channel = code.add(channel, first + inside)
                to = None
                if self.part is not None:
                    to = code.add(code.mul(pixel, self.part.of.channels), lanes_channel, self.part.first)
                result_at = code.add(code.mul(pixel, shape.channels), lanes_channel)
                place = Place(result_at, lanes_channel, min(self.lanes, count - inside), first + inside, to=to)
                value = self.reduction.finish(piece, window, self.lanes)
                self.epilogue.finish(value, place, self.lanes, bound)

    def _pixel(self, image: Index, y: Index, x: Index) -> Index:
        """The position of an output pixel."""
        return code.add(code.mul(code.add(code.mul(image, self.shape.out_height), y), self.shape.out_width), x)

    def _fill(self, output: ir.Value, pixel: Index) -> None:
        """The channels of a pixel that are not the group's own."""
        if self.part is None or self.part.filler is None:
            return
        all_channels, first, last = self.part.of.channels, self.part.first, self.part.first + self.shape.channels
        for begin, end in ((0, first), (last, all_channels)):
            for at, lanes in code.powers(end - begin, self.lanes * self.reduction.wider):
                value = code.splat(self.part.filler, lanes, self.epilogue.element)
                code.store(value, output, code.add(code.mul(pixel, all_channels), begin + at))
