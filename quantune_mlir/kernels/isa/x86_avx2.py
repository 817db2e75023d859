"""x86 without VNNI: AVX2; of SSE4.2 the same with half the lanes, vpmaddubsw excepted.

vpmaddubsw adds products of bytes in pairs, in 16 bits, with saturation: it is exact for weights that
kernels/families/maddubs_packing.py arranges. vpmaddwd is exact for all, with half as many products an instruction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.base import DotStep, WordStep
from quantune_mlir.kernels.isa.x86_depthwise import to_unsigned
from quantune_mlir.mlir.bindings import arith, ir

_PMADDWD: Final = "llvm.x86.avx2.pmadd.wd"


@dataclass(frozen=True)
class Vpmaddwd(DotStep):
    """acc[l] += sum of two s16 x s16: inputs widened once when they are packed."""

    lanes: int = 8
    registers: int = 14
    depth: int = 2
    element: str = "i16"
    offset: int = 0
    accumulator: str = "i32"
    intrinsic: str = _PMADDWD

    def pack(self, values: ir.Value) -> ir.Value:
        """Sign-extended."""
        return arith.ExtSIOp(code.vector_type(ir.VectorType(values.type).shape[0], "i16"), values).result

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Two weights for each channel, widened on the way."""
        count = 2 * self.lanes
        return arith.ExtSIOp(code.vector_type(count, "i16"), code.load(buffer, at, count)).result

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Two inputs in every lane."""
        word = code.bitcast(code.load(buffer, at, 2), 1, "i32")
        return code.broadcast_lane(word, self.lanes)

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """vpmaddwd and vpaddd."""
        words = code.bitcast(x, 2 * self.lanes, "i16")
        products = code.intrinsic(self.intrinsic, accumulator.type, words, w)
        return arith.AddIOp(accumulator, products).result


@dataclass(frozen=True)
class Vpmaddubsw(WordStep):
    """acc[l] += sum of the words' products, u8 x s8, which must fit 16 bits in pairs."""

    lanes: int = 8
    registers: int = 12
    depth: int = 4
    element: str = "i8"
    offset: int = 128
    accumulator: str = "i32"
    most_vectors: int = 1

    def pack(self, values: ir.Value) -> ir.Value:
        """i8 to u8: the sign bit flipped."""
        return to_unsigned(values)

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four weights for each channel."""
        return code.load(buffer, at, self.lanes * 4)

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four inputs in every lane."""
        word = code.bitcast(code.load(buffer, at, 4), 1, "i32")
        return code.bitcast(code.broadcast_lane(word, self.lanes), self.lanes * 4, "i8")

    def products(self, x: ir.Value, w: ir.Value) -> ir.Value:
        """vpmaddubsw."""
        return code.intrinsic("llvm.x86.avx2.pmadd.ub.sw", code.vector_type(2 * self.lanes, "i16"), x, w)

    def widened(self, accumulator: ir.Value, products: ir.Value) -> ir.Value:
        """vpmaddwd by ones, and vpaddd."""
        ones = code.splat(1, 2 * self.lanes, "i16")
        return arith.AddIOp(accumulator, code.intrinsic(_PMADDWD, accumulator.type, products, ones)).result
