"""Dot products of activations of 16 bits and weights of 8, summed up in 32: where that cannot overflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.base import DotStep, Isa
from quantune_mlir.kernels.isa.x86_avx2 import Vpmaddwd
from quantune_mlir.mlir.bindings import arith, ir, vector


@dataclass(frozen=True)
class HalfwordMultiplyAdd(DotStep):
    """acc[l] += x * w[l], portable: halfwords are widened as they are multiplied (smlal, vwmacc, vmlal.s16)."""

    depth: int = 1
    element: str = "i16"
    offset: int = 0
    accumulator: str = "i32"

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """One weight for each channel."""
        return arith.ExtSIOp(code.vector_type(self.lanes, "i16"), code.load(buffer, at, self.lanes)).result

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """One input in every lane."""
        return code.broadcast(code.load_scalar(buffer, at), self.lanes)

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """A widening multiplication and a sum."""
        a, b = (arith.ExtSIOp(accumulator.type, value).result for value in (x, w))
        return arith.AddIOp(accumulator, arith.MulIOp(a, b).result).result


def halfword_step(isa: Isa) -> DotStep:
    """The step of i16 of an instruction set."""
    return isa.int16 or in_lanes(isa)


def in_lanes(isa: Isa) -> DotStep:
    """The step whose products each stay in the lane of their channel."""
    return HalfwordMultiplyAdd(isa.fp32.lanes, isa.fp32.registers, memory=isa.memory)


@dataclass(frozen=True)
class HalfwordPairs(Vpmaddwd):
    """acc[l] += sum of two s16 x s16, inputs as they are."""

    def pack(self, values: ir.Value) -> ir.Value:
        """As it is."""
        return values


@dataclass(frozen=True)
class HalfwordSmlad(DotStep):
    """acc[l] += sum of four s16 x s8: inputs are paired as sxtb16 pairs weights, 0 and 2, 1 and 3."""

    lanes: int = 2
    registers: int = 3
    depth: int = 4
    element: str = "i16"
    offset: int = 0
    accumulator: str = "i32"
    unrolled: int = 2
    prefetches: bool = False

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four weights for each channel, a word."""
        return code.bitcast(code.load(buffer, at, 8), 2, "i32")

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Four inputs, two words of halves that belong to each other."""
        first, second = (code.bitcast(code.load(buffer, code.add(at, i), 2), 1, "i32") for i in (0, 2))
        low, high = (vector.ExtractOp(word, [], [0]).result for word in (first, second))
        sixteen, mask = (arith.ConstantOp(low.type, number).result for number in (16, 0xFFFF))
        even = arith.OrIOp(arith.AndIOp(low, mask).result, arith.ShLIOp(high, sixteen).result).result
        upper = arith.AndIOp(high, arith.ConstantOp(low.type, -0x10000).result).result
        odd = arith.OrIOp(arith.ShRUIOp(low, sixteen).result, upper).result
        return vector.FromElementsOp(code.vector_type(2, "i32"), [even, odd]).result

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """Two smlad for each channel."""
        return smlad([vector.ExtractOp(x, [], [i]).result for i in (0, 1)], w, accumulator, self.lanes)


@dataclass(frozen=True)
class HalfwordVmladava(DotStep):
    """acc += sum of eight s16 x s8."""

    lanes: int = 1
    registers: int = 6
    depth: int = 8
    element: str = "i16"
    offset: int = 0
    accumulator: str = "i32"
    prefetches: bool = False

    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Eight weights of the channel, widened on the way."""
        return arith.ExtSIOp(code.vector_type(8, "i16"), code.load(buffer, at, 8)).result

    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """Eight inputs."""
        return code.load(buffer, at, 8)

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """vmladava."""
        return vmladava("v8i16", x, w, accumulator)


def smlad(halves: Sequence[ir.Value], w: ir.Value, accumulator: ir.Value, lanes: int) -> ir.Value:
    """Two smlad for each channel: inputs in halves as `halfwords` makes them, and a word of weights a channel."""
    for lane in range(lanes):
        sum_ = vector.ExtractOp(accumulator, [], [lane]).result
        for a, b in zip(halves, halfwords(vector.ExtractOp(w, [], [lane]).result), strict=True):
            sum_ = code.intrinsic("llvm.arm.smlad", sum_.type, a, b, sum_)
        accumulator = vector.InsertOp(sum_, accumulator, [], [lane]).result
    return accumulator


def vmladava(vectors: str, x: ir.Value, w: ir.Value, accumulator: ir.Value) -> ir.Value:
    """One vmladava of vectors of this type."""
    sum_ = vector.ExtractOp(accumulator, [], [0]).result
    plain = code.constant(0, "i32")  # signed; neither subtracted nor with halves exchanged
    sum_ = code.intrinsic(f"llvm.arm.mve.vmldava.{vectors}", sum_.type, plain, plain, plain, sum_, x, w)
    return vector.InsertOp(sum_, accumulator, [], [0]).result


def halfwords(word: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Bytes 0 and 2 of a word, and bytes 1 and 3, widened."""
    eight = arith.ConstantOp(word.type, 8).result
    rotated = code.intrinsic("llvm.fshr.i32", word.type, word, word, eight)
    even, odd = (code.intrinsic("llvm.arm.sxtb16", word.type, value) for value in (word, rotated))
    return even, odd
