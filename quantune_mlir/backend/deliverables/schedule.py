"""What a compiled program does, as plain data: no MLIR, no IREE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

Place = Literal["arena", "weights", "input", "output"]


@dataclass(frozen=True)
class BufferView:
    """Bytes of a buffer.

    Attributes:
        place: which kind of buffer.
        index: which of the inputs, outputs, or blocks of weights; 0 for the arena.
        offset: of the first byte.
        length: in bytes.
    """

    place: Place
    index: int
    offset: int
    length: int

    def part(self, offset: int, length: int) -> BufferView:
        """`length` of its bytes, from `offset` on."""
        return BufferView(self.place, self.index, self.offset + offset, length)


@dataclass(frozen=True)
class Fill:
    """Write a pattern of 1, 2, 4 or 8 bytes again and again."""

    target: BufferView
    pattern: bytes


@dataclass(frozen=True)
class Copy:
    """Copy bytes; source and target do not overlap."""

    source: BufferView
    target: BufferView


@dataclass(frozen=True)
class Dispatch:
    """Run a kernel once for each workgroup.

    Attributes:
        kernel: its name.
        layer: what it computes, of a layer or the first of several; the kernel's name where that is not known.
        function: its number in the library.
        workgroups: how many along x, y and z.
        constants: 32-bit words that it is given.
        bindings: the buffers that it reads and writes.
    """

    kernel: str
    layer: str
    function: int
    workgroups: tuple[int, int, int]
    constants: tuple[int, ...]
    bindings: tuple[BufferView, ...]


Command = Fill | Copy | Dispatch


@dataclass(frozen=True)
class BundleTensor:
    """An input or output. Of an int8 one `scale` and `zero_point` say what it stands for: (q - zero_point) * scale."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float | None = None
    zero_point: int | None = None

    @property
    def elements(self) -> int:
        """The product of the shape."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        return self.elements * self.dtype.itemsize


@dataclass(frozen=True)
class Schedule:
    """A program: its commands in order, and the buffers that they work on.

    Attributes:
        arena: bytes of memory for what lies between inputs and outputs.
        weights: blocks of constants.
        functions: how many kernels the library has.
    """

    inputs: tuple[BundleTensor, ...]
    outputs: tuple[BundleTensor, ...]
    commands: tuple[Command, ...]
    arena: int
    weights: tuple[bytes, ...]
    functions: int

    @property
    def dispatches(self) -> Iterator[Dispatch]:
        """The commands that run kernels."""
        return (command for command in self.commands if isinstance(command, Dispatch))
