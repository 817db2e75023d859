"""Resized images, nearest or bilinear: along columns first, then along rows.

    for each workgroup: a share of the images, and of the rows of each result           grid
      for each image, each block of columns and channels
        for each row of the result                                                      resized_rows.py
          what it is the first to read: rows of the image, interpolated along columns   scratch, one row or two
          first row * its share + second row * its share; the epilogue; store           epilogue.py

Which pixels are read, and their shares, are data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers, described
from quantune_mlir.kernels.emit.epilogue import Epilogue
from quantune_mlir.kernels.emit.executable import JoinedPart, Library, Signature
from quantune_mlir.kernels.emit.vector_builder import I32, Index
from quantune_mlir.kernels.families.elementwise import workgroups_for
from quantune_mlir.kernels.families.resized_rows import Block, ResizedRows
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa.resizing import ResizedAxis, is_nearest, resized_axes


def lower(group: Group, isa: Isa, library: Library, part: JoinedPart | None = None) -> ir.Value | None:
    """Dispatch the kernel of a resize at the current point; None if there is none for it."""
    root = group.root
    assert root is not None
    axes = resized_axes(root)
    assert axes is not None
    epilogue = Epilogue(group, isa.tables)
    buffers = Buffers(epilogue)
    block = Block.within(min(isa.memory.l1, isa.memory.scratch), axes[1], shape_of(root.results[0])[3], isa.lanes)
    if block is None or not buffers.fit:
        return None
    return _Kernel(group, root, axes, block, epilogue, isa.lanes, part).dispatch(buffers, library)


@dataclass(frozen=True)
class _Kernel:
    group: Group
    root: ir.Operation
    axes: tuple[ResizedAxis, ResizedAxis]
    block: Block
    epilogue: Epilogue
    lanes: int
    part: JoinedPart | None

    @property
    def _result(self) -> tuple[int, ...]:
        return shape_of(self.root.results[0])

    @cached_property
    def _grid(self) -> tuple[int, int]:
        """Workgroups along rows and images."""
        batch, height, _, _ = self._result
        wanted = workgroups_for(prod(self._result))
        images = min(batch, wanted)
        return min(height, ceil(wanted / images)), images

    def dispatch(self, buffers: Buffers, library: Library) -> ir.Value:
        rows, columns = self.axes
        pixels = [rows.pixels, columns.pixels * shape_of(self.root.operands[0])[3]]
        tables = [constant(np.concatenate(pixels).astype(np.int32).reshape(-1))]
        if not is_nearest(self.root):
            tables.append(constant(self._shares()))
        tensors = [self.group.source, *tables]
        inputs = (*map(described, tensors), *buffers.inputs)
        signature = Signature(inputs, buffers.output(self.part), len(self.epilogue.scalars), self._grid)
        result = ir.RankedTensorType(self.group.op.results[0].type)
        return library.dispatch(
            self.group.family,
            signature,
            self._emit,
            [*tensors, *buffers.tensors()],
            self.epilogue.scalars,
            result,
            self.part,
        )

    def _shares(self) -> NDArray[np.int32] | NDArray[np.float32]:
        """Those of both pixels of each row, then of each column."""
        if described(self.root.results[0])[1] == I32:
            return np.concatenate([axis.shares for axis in self.axes]).astype(np.int32).reshape(-1)
        second = np.concatenate([axis.share.astype(np.float32) / np.float32(axis.parts) for axis in self.axes])
        return np.stack([np.float32(1) - second, second], axis=1).reshape(-1)

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        source, pixels, *inputs, output = buffers
        shares = None if is_nearest(self.root) else inputs.pop(0)
        count = len(self.epilogue.channels)
        bound = self.epilogue.bind(inputs[:count], scalars, inputs[count:], output)
        emitted = ResizedRows.begin(
            self.group, self.block, self.epilogue, self.lanes, self.part, (source, pixels, shares), bound
        )
        batch, height, width, channels = self._result
        of_rows, of_images = self._grid
        share, images = ceil(height / of_rows), ceil(batch / of_images)
        first_row = code.mul(place[0], share) if of_rows > 1 else 0
        rows = first_row, code.minimum(code.add(first_row, share), height)
        first_image = code.mul(place[1], images) if of_images > 1 else 0

        def image(i: Index) -> list[ir.Value]:
            def column(x: Index) -> list[ir.Value]:
                def channel(k: Index) -> list[ir.Value]:
                    at = code.fitted(x, self.block.columns, width), code.fitted(k, self.block.channels, channels)
                    emitted.emit(i, rows, *at)
                    return []

                code.loop(0, channels, self.block.channels, channel)
                return []

            code.loop(0, width, self.block.columns, column)
            return []

        code.loop(first_image, code.minimum(code.add(first_image, images), batch), 1, image)
