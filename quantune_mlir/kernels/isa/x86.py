"""x86: AVX-512 VNNI, AVX-VNNI, AVX2 and SSE4.2.

vpdpbusd multiplies unsigned inputs by signed weights: inputs are read as u8, 128 more than the network's i8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.base import DotStep, Isa
from quantune_mlir.kernels.isa.fp32 import FusedMultiplyAdd
from quantune_mlir.kernels.isa.int16 import HalfwordPairs
from quantune_mlir.kernels.isa.x86_avx2 import Vpmaddubsw, Vpmaddwd
from quantune_mlir.kernels.isa.x86_depthwise import VpdpbusdDepthwise, VpmaddwdDepthwise, to_unsigned
from quantune_mlir.kernels.isa.x86_narrowing import NARROWING
from quantune_mlir.kernels.isa.x86_tables import AVX512_TABLES
from quantune_mlir.mlir.bindings import ir


@dataclass(frozen=True)
class Vpdpbusd(DotStep):
    """acc[l] += sum of four u8 x s8."""

    depth: int = 4
    element: str = "i8"
    offset: int = 128
    accumulator: str = "i32"
    intrinsic: str = ""

    def pack(self, values: ir.Value) -> ir.Value:
        """i8 to u8: the sign bit flipped."""
        return to_unsigned(values)

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four weights for each channel."""
        return code.load(buffer, at, self.lanes * 4)

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four inputs in every lane."""
        word = code.bitcast(code.load(buffer, at, 4), 1, "i32")
        return code.broadcast_lane(word, self.lanes)

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """vpdpbusd."""
        bytes_ = code.bitcast(x, self.lanes * 4, "i8")
        return code.intrinsic(self.intrinsic, accumulator.type, accumulator, bytes_, w)


_ZMM: Final = "llvm.x86.avx512.vpdpbusd.512"
_YMM: Final = "llvm.x86.avx512.vpdpbusd.256"

AVX512_VNNI: Final = Isa(
    "avx512vnni",
    16,
    Vpdpbusd(16, 30, intrinsic=_ZMM),
    FusedMultiplyAdd(16, 30),
    VpdpbusdDepthwise(intrinsic=_ZMM),
    narrowing=NARROWING,
    tables=AVX512_TABLES,
    int16=HalfwordPairs(16, 30, intrinsic="llvm.x86.avx512.pmaddw.d.512"),
)
AVX_VNNI: Final = Isa(
    "avxvnni",
    8,
    Vpdpbusd(8, 14, intrinsic=_YMM),
    FusedMultiplyAdd(8, 14),
    VpdpbusdDepthwise(intrinsic=_YMM),
    narrowing=NARROWING,
    int16=HalfwordPairs(),
)
AVX2: Final = Isa(
    "avx2",
    8,
    Vpmaddwd(),
    FusedMultiplyAdd(8, 14),
    VpmaddwdDepthwise(),
    narrowing=NARROWING,
    int16=HalfwordPairs(),
    int8_words=Vpmaddubsw(),
)
SSE4: Final = Isa(
    "sse4",
    4,
    Vpmaddwd(4, intrinsic="llvm.x86.sse2.pmadd.wd"),
    FusedMultiplyAdd(4, 14),
    fuses=False,
    narrowing=NARROWING,
    int16=HalfwordPairs(4, intrinsic="llvm.x86.sse2.pmadd.wd"),
)
