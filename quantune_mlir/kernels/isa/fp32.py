"""fp32 dot products: one fused multiply-add a step, on any instruction set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.ir.mlir import ir, vector
from quantune_mlir.kernels import code
from quantune_mlir.kernels.code import Index


@dataclass(frozen=True)
class FusedMultiplyAdd:
    """acc[l] += x * w[l]."""

    lanes: int
    registers: int
    depth: ClassVar[int] = 1
    element: ClassVar[str] = "f32"
    offset: ClassVar[int] = 0
    accumulator: ClassVar[str] = "f32"

    def pack(self, values: ir.Value) -> ir.Value:
        """As it is."""
        return values

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """The weights of `lanes` channels."""
        return code.load(buffer, at, self.lanes)

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """One element in every lane."""
        return code.broadcast(code.load_scalar(buffer, at), self.lanes)

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """A fused multiply-add."""
        return vector.FMAOp(x, w, accumulator).result
