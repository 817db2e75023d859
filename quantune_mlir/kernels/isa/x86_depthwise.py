"""int8 depthwise convolutions on x86: VNNI, and AVX2 without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.ir.mlir import arith, ir
from quantune_mlir.kernels import code
from quantune_mlir.kernels.isa.depthwise import ByteStep, DepthwiseStep, lanes_of, unpack
from quantune_mlir.kernels.rounding import Rounding

_PACKS: Final = {
    8: ("llvm.x86.avx2.packssdw", "llvm.x86.avx2.packsswb"),
    16: ("llvm.x86.avx512.packssdw.512", "llvm.x86.avx512.packsswb.512"),
}


def to_unsigned(values: ir.Value) -> ir.Value:
    """i8 to u8, 128 more."""
    return arith.XOrIOp(values, code.splat(-128, lanes_of(values), "i8")).result


def _round(values: ir.Value) -> ir.Value:
    """vcvtps2dq, in the default rounding mode: half to even."""
    lanes = lanes_of(values)
    kind = code.vector_type(lanes, "i32")
    if lanes == 8:
        return code.intrinsic("llvm.x86.avx.cvt.ps2dq.256", kind, values)
    zero, every = code.splat(0, lanes, "i32"), code.constant(-1, "i16")
    return code.intrinsic("llvm.x86.avx512.mask.cvtps2dq.512", kind, values, zero, every, code.constant(4, "i32"))


_ROUNDING: Final = Rounding(2.0**30, _round)


def _pack(planes: Sequence[ir.Value]) -> ir.Value:
    lanes = lanes_of(planes[0])
    to_words, to_bytes = _PACKS[lanes]
    a, b, c, d = planes
    words = [code.intrinsic(to_words, code.vector_type(2 * lanes, "i16"), *pair) for pair in ((a, b), (c, d))]
    return code.intrinsic(to_bytes, code.vector_type(4 * lanes, "i8"), *words)


@dataclass(frozen=True)
class VpdpbusdDepthwise(ByteStep):
    """Four kernel rows at once, u8 x s8."""

    depth: int = 4
    element: str = "i8"
    offset: int = 128
    intrinsic: str = ""

    def interleave(self, rows: Sequence[ir.Value]) -> list[ir.Value]:
        """As u8."""
        return super().interleave([to_unsigned(row) for row in rows])

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """vpdpbusd."""
        return code.intrinsic(self.intrinsic, accumulator.type, accumulator, x, w)

    @property
    def rounding(self) -> Rounding:
        """vcvtps2dq."""
        return _ROUNDING

    def narrow(self, planes: Sequence[ir.Value]) -> ir.Value:
        """Packed within 128 bits, with saturation."""
        return _pack(planes)


@dataclass(frozen=True)
class VpmaddwdDepthwise(DepthwiseStep):
    """Two kernel rows at once, s16 x s16."""

    depth: int = 2
    element: str = "i16"
    offset: int = 128

    def interleave(self, rows: Sequence[ir.Value]) -> list[ir.Value]:
        """As u8, widened to 16 bits by zeros, then pairs."""
        a, b = (to_unsigned(row) for row in rows)
        size = lanes_of(a)
        zero = code.splat(0, size, "i8")
        planes: list[ir.Value] = []
        for upper in (False, True):
            first, second = (code.bitcast(unpack(x, zero, upper), size // 2, "i16") for x in (a, b))
            planes += [unpack(first, second, high) for high in (False, True)]
        return planes

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """vpmaddwd and vpaddd."""
        return arith.AddIOp(accumulator, code.intrinsic("llvm.x86.avx2.pmadd.wd", accumulator.type, x, w)).result

    @property
    def rounding(self) -> Rounding:
        """vcvtps2dq."""
        return _ROUNDING

    def narrow(self, planes: Sequence[ir.Value]) -> ir.Value:
        """Packed within 128 bits, with saturation."""
        return _pack(planes)
