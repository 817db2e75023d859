"""Arm with NEON: smmla (i8mm), sdot (dotprod), and widening multiply-adds before these.

All multiply signed by signed: a 1 x 1 convolution reads its input where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.arm_narrowing import NARROWING
from quantune_mlir.kernels.isa.base import DotStep, Isa
from quantune_mlir.kernels.isa.depthwise import ByteStep
from quantune_mlir.kernels.isa.fp32 import FusedMultiplyAdd
from quantune_mlir.mlir.bindings import arith, ir

_SDOT: Final = "llvm.aarch64.neon.sdot.v4i32.v16i8"


@dataclass(frozen=True)
class Sdot(DotStep):
    """acc[l] += sum of four s8 x s8."""

    lanes: int = 4
    registers: int = 30
    depth: int = 4
    element: str = "i8"
    offset: int = 0
    accumulator: str = "i32"
    unrolled: int = 4
    reads_ahead: bool = True

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four weights for each channel."""
        return code.load(buffer, at, 16)

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four inputs in every lane."""
        word = code.bitcast(code.load(buffer, at, 4), 1, "i32")
        return code.bitcast(code.broadcast_lane(word, 4), 16, "i8")

    def of_turn(self, ahead: ir.Value, turn: int) -> ir.Value:
        """An element of the vector, which sdot takes as it is."""
        words = code.bitcast(ahead, ir.VectorType(ahead.type).shape[0] // self.depth, "i32")
        return code.bitcast(code.shuffle(words, words, [turn] * 4), 16, "i8")

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """sdot; LLVM looks for an element of a vector in its second factor."""
        return code.intrinsic(_SDOT, accumulator.type, accumulator, w, x)


class SdotDepthwise(ByteStep):
    """Four kernel rows at once, s8 x s8."""

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """sdot."""
        return code.intrinsic(_SDOT, accumulator.type, accumulator, x, w)


@dataclass(frozen=True)
class Smmla(DotStep):
    """Two pixels by four channels: each half of the channels is one 2 x 8 times 8 x 2 product.

    The accumulators are [half][pixel][channel of the half], two registers.
    """

    lanes: int = 4
    registers: int = 15
    depth: int = 8
    element: str = "i8"
    offset: int = 0
    accumulator: str = "i32"
    pixels: int = 2

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Eight weights for each channel."""
        return code.load(buffer, at, 32)

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Eight inputs."""
        return code.load(buffer, at, 8)

    def inputs(self, buffer: ir.Value, at: Sequence[Index]) -> ir.Value:
        """Eight inputs of each pixel."""
        first, second = (self.input(buffer, pixel) for pixel in at)
        return code.shuffle(first, second, range(16))

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """Two smmla."""
        first, second = (self._half(accumulator, x, w, half) for half in range(2))
        return code.shuffle(first, second, range(8))

    def _half(self, accumulator: ir.Value, x: ir.Value, w: ir.Value, half: int) -> ir.Value:
        sums = code.part(accumulator, 4 * half, 4)
        weights = code.part(w, 16 * half, 16)
        return code.intrinsic("llvm.aarch64.neon.smmla.v4i32.v16i8", sums.type, sums, x, weights)

    def start(self, bias: ir.Value) -> ir.Value:
        """The bias of each half, for both pixels."""
        return code.shuffle(bias, bias, (0, 1, 0, 1, 2, 3, 2, 3))

    def unpack(self, accumulator: ir.Value) -> list[ir.Value]:
        """The halves of each pixel side by side."""
        return [code.shuffle(accumulator, accumulator, (first, first + 1, first + 4, first + 5)) for first in (0, 2)]


@dataclass(frozen=True)
class WideningMultiplyAdd(DotStep):
    """acc[l] += x * w[l], s16 x s16: vmull and vadd, which LLVM makes one instruction (smlal, vmlal)."""

    lanes: int = 8
    registers: int = 14
    depth: int = 1
    element: str = "i16"
    offset: int = 0
    accumulator: str = "i32"
    intrinsic: str = "llvm.aarch64.neon.smull.v4i32"

    def pack(self, values: ir.Value) -> ir.Value:
        """Sign-extended."""
        return arith.ExtSIOp(code.vector_type(ir.VectorType(values.type).shape[0], "i16"), values).result

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """One weight for each channel, widened on the way."""
        return arith.ExtSIOp(code.vector_type(8, "i16"), code.load(buffer, at, 8)).result

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """One input in every lane of a half."""
        return code.broadcast(code.load_scalar(buffer, at), 4)

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """A multiplication for each half, and one sum."""
        half = code.vector_type(4, "i32")
        low, high = (code.intrinsic(self.intrinsic, half, x, code.part(w, first, 4)) for first in (0, 4))
        return arith.AddIOp(accumulator, code.shuffle(low, high, range(8))).result


_I8MM_FEATURES: Final = ("+v8.2a", "+dotprod", "+fullfp16", "+bf16", "+i8mm", "+reserve-x18")
"""Only kernels have i8mm: what IREE 3.13 makes of int8 convolutions with it is wrong. IREE reserves x18 everywhere."""

_DEPTHWISE: Final = SdotDepthwise(4, "i8", 0)

I8MM: Final = Isa("i8mm", 4, Smmla(), FusedMultiplyAdd(4, 30), _DEPTHWISE, narrowing=NARROWING, features=_I8MM_FEATURES)
DOTPROD: Final = Isa("dotprod", 4, Sdot(), FusedMultiplyAdd(4, 30), _DEPTHWISE, narrowing=NARROWING)
ARMV8: Final = Isa("armv8", 4, WideningMultiplyAdd(), FusedMultiplyAdd(4, 30))
ARMV7_NEON: Final = Isa(
    "armv7neon",
    4,
    WideningMultiplyAdd(registers=7, intrinsic="llvm.arm.neon.vmulls.v4i32"),
    FusedMultiplyAdd(4, 14),
)
