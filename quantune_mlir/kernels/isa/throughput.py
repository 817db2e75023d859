"""How long kernels take on an instruction set, as a model: for CPUs that cannot be measured here.

    cycles = dispatch + max( MACs / macs per cycle, bytes moved / bytes per cycle ) + elements / elements per cycle

MACs per cycle are what the kernels reach, not the peak: peak times the share of it that docs/performance.md finds.
Elements are those of the result, which the epilogue requantizes, clamps and stores. What is measured of this is told
in docs/costs.md, with how far the model is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Family = Literal["dense", "depthwise", "other"]


@dataclass(frozen=True)
class Work:
    """What one dispatch has to do.

    Attributes:
        family: of the kernel.
        precision: of the multiplications.
        macs: multiply-accumulates.
        elements: of the result.
        moved: bytes read and written, each once.
    """

    family: Family
    precision: Literal["int8", "fp32"]
    macs: int
    elements: int
    moved: int


@dataclass(frozen=True)
class Throughput:
    """What a core does in a cycle: multiply-accumulates by kernel and precision, result elements, and bytes."""

    dense_int8: float
    dense_fp32: float
    depthwise_int8: float
    depthwise_fp32: float
    elements: float
    bytes: float
    dispatch: float = 1200.0
    """Cycles that a dispatch costs before its first instruction."""

    def cycles(self, work: Work) -> float:
        """Cycles of one dispatch."""
        macs = {
            ("dense", "int8"): self.dense_int8,
            ("dense", "fp32"): self.dense_fp32,
            ("depthwise", "int8"): self.depthwise_int8,
            ("depthwise", "fp32"): self.depthwise_fp32,
        }.get((work.family, work.precision), self.dense_fp32)
        return self.dispatch + max(work.macs / macs, work.moved / self.bytes) + work.elements / self.elements

    def conversion(self, elements: int) -> float:
        """Cycles of a pass that changes the precision of so many elements."""
        return self.cycles(Work("other", "fp32", 0, elements, 5 * elements))


THROUGHPUTS: Final[dict[str, Throughput]] = {
    "avx512vnni": Throughput(98, 26, 26, 16, 2.9, 40),
    "avxvnni": Throughput(54, 17, 27, 14, 3.1, 40),
    "avx2": Throughput(28, 16, 11, 12, 2.8, 40),
    "sse4": Throughput(13, 9, 5, 8, 2.2, 20),
    "i8mm": Throughput(40, 6, 8, 4, 1.5, 12),
    "dotprod": Throughput(22, 6, 8, 4, 1.5, 12),
    "armv8": Throughput(7, 3, 4, 2, 0.7, 6),
    "armv7neon": Throughput(4, 2, 3, 1.5, 0.5, 4),
    "rvv": Throughput(8, 6, 4, 3, 1, 8),
    "generic": Throughput(4, 3, 3, 2, 0.7, 8),
    "scalar": Throughput(1, 0.5, 1, 0.5, 0.2, 2),
}
"""By name of the instruction set. Those of x86 are fitted to measurements; the others are scaled by the width of
their vectors and the rate of their dot products, and were not measured."""
