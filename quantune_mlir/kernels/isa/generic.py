"""Any CPU that LLVM knows: portable vector operations only.

`generic` counts on 16 registers of four lanes, `rvv` on 32 of four, used in pairs (RISC-V with vectors of 128 bits or
more). `scalar` is for CPUs without vectors: a vector of four is four registers there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.base import DotStep, Isa
from quantune_mlir.kernels.isa.fp32 import FusedMultiplyAdd
from quantune_mlir.mlir.bindings import arith, ir


@dataclass(frozen=True)
class MultiplyAdd(DotStep):
    """acc[l] += x * w[l], both widened to i32."""

    depth: int = 1
    element: str = "i8"
    offset: int = 0
    accumulator: str = "i32"

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """One weight for each channel."""
        return arith.ExtSIOp(code.vector_type(self.lanes, "i32"), code.load(buffer, at, self.lanes)).result

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """One input in every lane."""
        x = arith.ExtSIOp(code.element("i32"), code.load_scalar(buffer, at)).result
        return code.broadcast(x, self.lanes)

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """A multiplication and a sum."""
        return arith.AddIOp(accumulator, arith.MulIOp(x, w).result).result


GENERIC: Final = Isa("generic", 4, MultiplyAdd(4, 14), FusedMultiplyAdd(4, 14), fuses=False)
RVV: Final = Isa("rvv", 8, MultiplyAdd(8, 14), FusedMultiplyAdd(8, 14))
SCALAR: Final = Isa("scalar", 4, MultiplyAdd(4, 6), FusedMultiplyAdd(4, 7))
