"""fp32 dot products: one fused multiply-add a step, on any instruction set."""

from __future__ import annotations

from dataclasses import dataclass

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.base import DotStep
from quantune_mlir.mlir.bindings import ir


@dataclass(frozen=True)
class FusedMultiplyAdd(DotStep):
    """acc[l] += x * w[l]."""

    depth: int = 1
    element: str = "f32"
    offset: int = 0
    accumulator: str = "f32"

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """The weights of `lanes` channels."""
        return code.load(buffer, at, self.lanes)

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """One element in every lane."""
        return code.broadcast(code.load_scalar(buffer, at), self.lanes)

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """A fused multiply-add."""
        return code.built("vector.fma", accumulator.type, [x, w, accumulator])
