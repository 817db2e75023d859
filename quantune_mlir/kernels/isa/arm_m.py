"""Arm microcontrollers with DSP instructions (Cortex-M4, M7, M33): two products of halfwords in one instruction.

A register holds four bytes; sxtb16 makes halfwords of bytes 0 and 2, and, rotated, of bytes 1 and 3. smlad multiplies
two pairs of halfwords and adds both products. Thirteen registers are not many: a tile is two pixels by two channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.base import DotStep, Isa
from quantune_mlir.kernels.isa.fp32 import FusedMultiplyAdd
from quantune_mlir.kernels.isa.int16 import HalfwordSmlad, halfwords, smlad
from quantune_mlir.mlir.bindings import ir, vector


@dataclass(frozen=True)
class Smlad(DotStep):
    """acc[l] += sum of four s8 x s8."""

    lanes: int = 2
    registers: int = 3
    depth: int = 4
    element: str = "i8"
    offset: int = 0
    accumulator: str = "i32"
    unrolled: int = 4
    prefetches: bool = False

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four weights for each channel, a word."""
        return code.bitcast(code.load(buffer, at, 8), 2, "i32")

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four inputs, a word."""
        return code.bitcast(code.load(buffer, at, 4), 1, "i32")

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """Two smlad for each channel."""
        return smlad(halfwords(vector.ExtractOp(x, [], [0]).result), w, accumulator, self.lanes)


ARMV7EM: Final = Isa("armv7em", 4, Smlad(), FusedMultiplyAdd(4, 7), int16=HalfwordSmlad())
