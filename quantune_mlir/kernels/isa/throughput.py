"""How long kernels take on an instruction set, as a model: for CPUs that cannot be measured here.

    cycles = dispatch + max( MACs / macs per cycle, bytes moved / bytes per cycle ) + elements / elements per cycle

MACs per cycle are what the kernels reach, not the peak: peak times the share of it that docs/performance.md finds.
Elements are those of the result, which the epilogue requantizes, clamps and stores. A network whose weights are too
many for the cache reads them from memory in each inference: then a dispatch takes constants / bytes per cycle of memory
at least. What is measured of this is told in docs/planning.md, with how far the model is off.
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
        constants: bytes among these that are the same in each inference.
    """

    family: Family
    precision: Literal["int8", "fp32"]
    macs: int
    elements: int
    moved: int
    constants: int = 0


@dataclass(frozen=True)
class Throughput:
    """What a core does in a cycle: multiply-accumulates by kernel and precision, result elements, and bytes.

    Attributes:
        bytes: from cache.
        cache: bytes of constants that are still there in the next inference.
        memory: bytes from memory.
        dispatch: cycles that a dispatch costs before its first instruction.
    """

    dense_int8: float
    dense_fp32: float
    depthwise_int8: float
    depthwise_fp32: float
    elements: float
    bytes: float
    cache: int
    memory: float = 2.0
    dispatch: float = 1200.0

    def cycles(self, work: Work, *, from_memory: bool = False) -> float:
        """Cycles of one dispatch; `from_memory`: of a network whose constants the cache does not keep."""
        macs = {
            ("dense", "int8"): self.dense_int8,
            ("dense", "fp32"): self.dense_fp32,
            ("depthwise", "int8"): self.depthwise_int8,
            ("depthwise", "fp32"): self.depthwise_fp32,
        }.get((work.family, work.precision), self.dense_fp32)
        reading = max(work.moved / self.bytes, work.constants / self.memory if from_memory else 0.0)
        return self.dispatch + max(work.macs / macs, reading) + work.elements / self.elements

    def conversion(self, elements: int) -> float:
        """Cycles of a pass that changes the precision of so many elements."""
        return self.cycles(Work("other", "fp32", 0, elements, 5 * elements))


_MIB: Final = 1 << 20

THROUGHPUTS: Final[dict[str, Throughput]] = {
    "avx512vnni": Throughput(98, 26, 26, 16, 2.9, 40, 16 * _MIB),
    "avxvnni": Throughput(54, 17, 27, 14, 3.1, 40, 16 * _MIB),
    "avx2": Throughput(28, 16, 11, 12, 2.8, 40, 16 * _MIB),
    "sse4": Throughput(13, 9, 5, 8, 2.2, 20, 4 * _MIB),
    "i8mm": Throughput(40, 6, 8, 4, 1.5, 12, 4 * _MIB),
    "dotprod": Throughput(22, 6, 8, 4, 1.5, 12, 2 * _MIB),
    "armv8": Throughput(7, 3, 4, 2, 0.7, 6, _MIB),
    "armv7neon": Throughput(4, 2, 3, 1.5, 0.5, 4, _MIB // 2),
    "armv7em": Throughput(0.7, 0.3, 0.2, 0.3, 0.1, 4, 0, dispatch=300.0),
    "mve": Throughput(4, 1, 1, 1, 0.2, 8, 0, dispatch=300.0),
    "rvv": Throughput(8, 6, 4, 3, 1, 8, _MIB),
    "generic": Throughput(4, 3, 3, 2, 0.7, 8, _MIB),
    "scalar": Throughput(1, 0.5, 1, 0.5, 0.2, 2, 0),
}
"""By name of the instruction set. Those of x86 are fitted to measurements; the others are scaled by the width of
their vectors and the rate of their dot products, and were not measured. What memory gives is measured on one x86, two
bytes a cycle or 8 GB/s; caches are what such cores commonly have."""
