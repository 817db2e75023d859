"""What an instruction set is to a kernel: vector width, registers, and the step of a dot product."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from quantune_mlir.hardware.memory import ANY_CORE, Memory
from quantune_mlir.kernels.emit.byte_tables import ByteTables
from quantune_mlir.kernels.emit.rounding import Narrowing
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.isa.depthwise import WIDENED, DepthwiseStep
from quantune_mlir.mlir.bindings import arith, ir


@dataclass(frozen=True)
class DotStep(ABC):
    """One step of many dot products at once: acc[l] += sum over d of x[d] * w[l, d].

    A vector of accumulators belongs to `pixels` pixels and `lanes` neighbouring output channels, which all read the
    same x of a pixel. Between `start` and `unpack` its order is the step's own affair.
    """

    lanes: int
    """Output channels of a vector."""
    registers: int
    """Vectors that may be kept as accumulators and weights."""
    depth: int
    """Elements of the reduction in a step."""
    element: str
    """Element type of the input as the step reads it."""
    offset: int
    """What is added to every i8 input: the step reads x + offset."""
    accumulator: str
    """Element type of the accumulators."""
    pixels: int = 1
    """Pixels that share a vector of accumulators."""
    most_vectors: int = 4
    """Vectors of output channels that may be computed together."""
    unrolled: int = 1
    """Steps in one turn of the innermost loop."""
    reads_ahead: bool = False
    """Whether what several steps read of a pixel is loaded at once, and kept in a register for each pixel."""
    memory: Memory = ANY_CORE
    """Memory of the core that the step is made for."""
    prefetches: bool = True
    """Whether there are caches to read ahead for."""

    @property
    def weight_bytes(self) -> int:
        """The size of a weight in memory."""
        return 1 if self.accumulator == "i32" else 4

    def pack(self, values: ir.Value) -> ir.Value:
        """A vector of the network's elements as `element`; of itself as it is."""
        return values

    @abstractmethod
    def weights(self, buffer: ir.Value, at: Index) -> ir.Value:
        """`lanes` x `depth` weights, contiguous in memory."""

    @abstractmethod
    def input(self, buffer: ir.Value, at: Index) -> ir.Value:
        """`depth` neighbouring elements of one pixel, for all lanes."""

    def inputs(self, buffer: ir.Value, at: Sequence[Index]) -> ir.Value:
        """What a step reads of `pixels` pixels."""
        (only,) = at
        return self.input(buffer, only)

    def of_turn(self, ahead: ir.Value, turn: int) -> ir.Value:
        """What step number `turn` reads of a pixel, of which some times `depth` neighbouring elements were loaded."""
        raise NotImplementedError

    @abstractmethod
    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """The accumulators after the step."""

    def start(self, bias: ir.Value) -> ir.Value:
        """The accumulators before the first step, given a bias for each lane."""
        return bias

    def unpack(self, accumulator: ir.Value) -> list[ir.Value]:
        """The sums of each pixel, a vector of `lanes`."""
        return [accumulator]


@dataclass(frozen=True)
class WordStep(DotStep):
    """A step whose products are summed up in 16 bits first: for weights of kernels/families/maddubs_packing.py."""

    @abstractmethod
    def products(self, x: ir.Value, w: ir.Value) -> ir.Value:
        """The products of a word, added in halves, as i16."""

    @abstractmethod
    def widened(self, accumulator: ir.Value, products: ir.Value) -> ir.Value:
        """The accumulators with both halves added."""

    def step(self, accumulator: ir.Value, x: ir.Value, w: ir.Value) -> ir.Value:
        """One word."""
        return self.widened(accumulator, self.products(x, w))

    def double_step(
        self, accumulator: ir.Value, x: tuple[ir.Value, ir.Value], w: tuple[ir.Value, ir.Value]
    ) -> ir.Value:
        """Two words that fit together."""
        return self.widened(accumulator, arith.AddIOp(self.products(x[0], w[0]), self.products(x[1], w[1])).result)


@dataclass(frozen=True)
class Isa:
    """An instruction set."""

    name: str
    lanes: int
    """f32 elements of a vector."""
    int8: DotStep
    fp32: DotStep
    depthwise: DepthwiseStep = WIDENED
    """The step of int8 depthwise convolutions."""
    fuses: bool = True
    """Whether one instruction multiplies and adds f32; without, both are rounded."""
    narrowing: Narrowing | None = None
    """How several vectors of results become i8 together; None: each by itself."""
    tables: ByteTables | None = None
    """How entries of a table of an i8 are found; None: each is loaded."""
    int16: DotStep | None = None
    """Of i16 and weights of i8; None: as a portable one has it."""
    int8_words: WordStep | None = None
    """A quicker step for int8 weights that suit it."""
    features: tuple[str, ...] = ()
    """LLVM features that kernels are compiled with; none: the target's."""

    memory: Memory = ANY_CORE
    """Memory of the core that kernels are made for."""

    def on(self, memory: Memory) -> Isa:
        """The same on a core with this memory."""
        words = self.int8_words and replace(self.int8_words, memory=memory)
        int8, fp32 = replace(self.int8, memory=memory), replace(self.fp32, memory=memory)
        int16 = self.int16 and replace(self.int16, memory=memory)
        return replace(self, int8=int8, fp32=fp32, int16=int16, int8_words=words, memory=memory)
