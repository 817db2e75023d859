"""Groups of element-wise ops alone: additions, products, clamps, quantize and dequantize of a whole tensor.

    for each workgroup: a share of the pixels                                           grid
      for each pixel of it
        for each few vectors of channels: load, compute, store                          epilogue.py

Where nothing depends on the channel, the tensor is one pixel of as many channels as it has elements, and the workgroups
share these. A kernel is called with the sizes, so that there is one for all tensors, but for those of few channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue, Place
from quantune_mlir.kernels.emit.epilogue_code import epilogue_code
from quantune_mlir.kernels.emit.executable import JoinedPart, Library, Signature
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import ir

_VECTORS: Final = 4
_WORKGROUPS: Final = 4
_ELEMENTS_OF_A_WORKGROUP: Final = 16_384
"""Below this a workgroup is not worth its start."""


def lower(group: Group, isa: Isa, library: Library, part: JoinedPart | None = None) -> ir.Value | None:
    """Dispatch the kernel of an element-wise group at the current point; None if there is none for it."""
    epilogue = Epilogue(group, isa.tables)
    buffers = Buffers(epilogue)
    if not buffers.fit:
        return None
    return _Kernel(group, epilogue, isa.lanes, part).dispatch(buffers, library)


def workgroups_for(elements: int) -> int:
    """Workgroups that so many elements are worth."""
    return max(1, min(_WORKGROUPS, elements // _ELEMENTS_OF_A_WORKGROUP))


@dataclass(frozen=True)
class _Kernel:
    group: Group
    epilogue: Epilogue
    lanes: int
    part: JoinedPart | None

    @property
    def _is_flat(self) -> bool:
        return self.part is None and not self.epilogue.depends_on_channel

    @property
    def _pixels(self) -> int:
        return 1 if self._is_flat else prod(self.group.shape[:-1])

    @property
    def _channels(self) -> int:
        return prod(self.group.shape) if self._is_flat else self.group.shape[-1]

    @property
    def _block(self) -> int:
        """Channels computed at once: some vectors, or less than one."""
        if self._channels < self.lanes:
            return self._channels
        return min(_VECTORS, self._channels // self.lanes) * self.lanes

    @property
    def _workgroups(self) -> int:
        shared = ceil(self._channels / self._block) if self._is_flat else self._pixels
        return min(shared, workgroups_for(prod(self.group.shape)))

    @property
    def _share(self) -> int:
        """Channels of a workgroup, or pixels."""
        if self._is_flat:
            return ceil(self._channels / self._workgroups / self._block) * self._block
        return ceil(self._pixels / self._workgroups)

    def dispatch(self, buffers: Buffers, library: Library) -> ir.Value:
        scalars = self.epilogue.scalars
        signature = Signature(buffers.inputs, buffers.output(self.part), len(scalars), (self._workgroups,))
        sizes = self._share, self._pixels, self._channels
        result = ir.RankedTensorType(self.group.op.results[0].type)
        part = self.part and (self.part.of.channels, self.part.first)
        specification = self._is_flat, self.lanes, self._block, part, epilogue_code(self.epilogue, None, self.lanes)
        return library.dispatch_sized(
            self.group.family,
            signature,
            self._emit,
            buffers.tensors(),
            scalars,
            sizes,
            result,
            self.part,
            specification,
        )

    # What follows is built inside the kernel.

    def _emit(
        self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value], sizes: Sequence[Index]
    ) -> None:
        *inputs, output = buffers
        share, pixels, channels = sizes
        count = len(self.epilogue.channels)
        bound = self.epilogue.bind(inputs[:count], scalars, inputs[count:], output)
        first = code.mul(place[0], share)
        last = code.add(first, share)
        if self._is_flat:
            self._emit_channels(0, first, last, channels, bound)
            return

        def pixel(i: Index) -> list[ir.Value]:
            self._emit_channels(i, 0, channels, channels, bound)
            return []

        code.loop(first, code.minimum(last, pixels), 1, pixel)

    def _emit_channels(self, pixel: Index, first: Index, last: Index, channels: Index, bound: Bound) -> None:
        """Channels of a pixel, some vectors at once; the last ones are moved back to where they fit."""
        lanes, size = self.lanes, self._block

        def block(i: Index) -> list[ir.Value]:
            start = code.fitted(i, size, channels)
            bound.loaded.clear()
            for inside in range(0, size, lanes):
                channel = code.add(start, inside)
                to = None
                if self.part is not None:
                    to = code.add(code.mul(pixel, self.part.of.channels), channel, self.part.first)
                at = code.add(code.mul(pixel, channels), channel)
                self.epilogue.finish(None, Place(at, channel, min(lanes, size), inside, to=to), lanes, bound)
            return []

        code.loop(first, code.minimum(last, channels), size, block)
