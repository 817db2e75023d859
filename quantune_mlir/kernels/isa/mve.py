"""Arm microcontrollers with MVE (Cortex-M55, M85): sixteen products of bytes, summed up in a scalar register.

The sums are not in vectors: each is one output channel of one pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.base import DotStep, Isa
from quantune_mlir.kernels.isa.fp32 import FusedMultiplyAdd
from quantune_mlir.kernels.isa.int16 import HalfwordVmladava, vmladava
from quantune_mlir.mlir.bindings import ir


@dataclass(frozen=True)
class Vmladava(DotStep):
    """acc += sum of sixteen s8 x s8."""

    lanes: int = 1
    registers: int = 6
    depth: int = 16
    element: str = "i8"
    offset: int = 0
    accumulator: str = "i32"
    prefetches: bool = False

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Sixteen weights of the channel."""
        return code.load(buffer, at, 16)

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Sixteen inputs."""
        return code.load(buffer, at, 16)

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """vmladava."""
        return vmladava("v16i8", x, w, accumulator)


MVE: Final = Isa("mve", 4, Vmladava(), FusedMultiplyAdd(4, 7), int16=HalfwordVmladava())
