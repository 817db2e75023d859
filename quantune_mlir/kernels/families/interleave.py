"""The network's input, NCHW with few channels, as NHWC, quantized on the way.

    for each workgroup: a share of the pixels of an image                               grid
      for each vector of pixels
        load it of each channel; prologue, epilogue; store the channels side by side    epilogue.py, shuffles

The last vector is moved back to where it fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers, described
from quantune_mlir.kernels.emit.epilogue import Bound, Epilogue, Place
from quantune_mlir.kernels.emit.executable import JoinedPart, Library, Signature
from quantune_mlir.kernels.emit.lane_orders import interleaved
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.elementwise import workgroups_for
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of


def lower(group: Group, isa: Isa, library: Library, part: JoinedPart | None = None) -> ir.Value | None:
    """Dispatch the kernel of a transpose to NHWC at the current point; None if there is none for it."""
    epilogue = Epilogue(group, isa.tables)
    buffers = Buffers(epilogue)
    if part is not None or not buffers.fit:
        return None
    return _Kernel(group, epilogue, isa.lanes).dispatch(buffers, library)


@dataclass(frozen=True)
class _Kernel:
    group: Group
    epilogue: Epilogue
    lanes: int

    @property
    def _channels(self) -> int:
        return shape_of(self.group.source)[1]

    @property
    def _pixels(self) -> int:
        return prod(shape_of(self.group.source)[2:])

    @property
    def _workgroups(self) -> int:
        return min(ceil(self._pixels / self.lanes), workgroups_for(self._channels * self._pixels))

    def dispatch(self, buffers: Buffers, library: Library) -> ir.Value:
        inputs = (described(self.group.source), *buffers.inputs)
        batch = shape_of(self.group.source)[0]
        signature = Signature(inputs, buffers.output(None), len(self.epilogue.scalars), (self._workgroups, batch))
        result = ir.RankedTensorType(self.group.op.results[0].type)
        tensors = [self.group.source, *buffers.tensors()]
        return library.dispatch(self.group.family, signature, self._emit, tensors, self.epilogue.scalars, result)

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        source, *tables, output = buffers
        bound = self.epilogue.bind(tables, scalars, [], output)
        image = code.mul(place[1], self._channels * self._pixels)
        share = ceil(self._pixels / self._workgroups / self.lanes) * self.lanes
        first = code.mul(place[0], share) if self._workgroups > 1 else 0
        count = min(self.lanes, self._pixels)

        def vector(i: Index) -> list[ir.Value]:
            pixel = code.fitted(i, count, self._pixels)
            bound.loaded.clear()
            channels = [self._channel(source, code.add(image, pixel), c, count, bound) for c in range(self._channels)]
            at = code.add(image, code.mul(pixel, self._channels))
            code.store_lanes(interleaved(channels, self.lanes), output, at, count * self._channels)
            return []

        code.loop(first, code.minimum(code.add(first, share), self._pixels), self.lanes, vector)

    def _channel(self, source: ir.Value, at: Index, channel: int, count: int, bound: Bound) -> ir.Value:
        at = code.add(at, channel * self._pixels)
        loaded = code.load_lanes(source, at, count, self.lanes)
        value = self.epilogue.prepare(loaded, Place(at, channel, count), self.lanes, bound)
        return code.narrowed(value, self.epilogue.element)
