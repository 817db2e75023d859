"""int8 depthwise convolutions on x86: VNNI, and AVX2 without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.rounding import Rounding
from quantune_mlir.kernels.isa.depthwise import ByteStep, DepthwiseStep, lanes_of, unpack
from quantune_mlir.kernels.isa.x86_narrowing import ROUNDING, pack
from quantune_mlir.mlir.bindings import arith, ir


def to_unsigned(values: ir.Value) -> ir.Value:
    """i8 to u8, 128 more."""
    return arith.XOrIOp(values, code.splat(-128, lanes_of(values), "i8")).result


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
        return ROUNDING

    def narrow(self, quarters: Sequence[ir.Value]) -> ir.Value:
        """Packed within 128 bits, with saturation."""
        return pack(quarters)


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
        quarters: list[ir.Value] = []
        for upper in (False, True):
            first, second = (code.bitcast(unpack(x, zero, upper), size // 2, "i16") for x in (a, b))
            quarters += [unpack(first, second, high) for high in (False, True)]
        return quarters

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """vpmaddwd and vpaddd."""
        return arith.AddIOp(accumulator, code.intrinsic("llvm.x86.avx2.pmadd.wd", accumulator.type, x, w)).result

    @property
    def rounding(self) -> Rounding:
        """vcvtps2dq."""
        return ROUNDING

    def narrow(self, quarters: Sequence[ir.Value]) -> ir.Value:
        """Packed within 128 bits, with saturation."""
        return pack(quarters)
