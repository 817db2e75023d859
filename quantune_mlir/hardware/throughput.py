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

from pydantic import BaseModel, ConfigDict, Field

Family = Literal["dense", "depthwise", "other"]
Precision = Literal["int8", "int16", "fp32"]


_OF_INT16: Final = 2


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
    precision: Precision
    macs: int
    elements: int
    moved: int
    constants: int = 0


class Throughput(BaseModel):
    """What a core does in a cycle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dense_int8: float = Field(gt=0)
    """Multiply-accumulates of convolutions and matmuls in int8."""
    dense_fp32: float = Field(gt=0)
    """The same in fp32."""
    dense_int16: float | None = Field(gt=0, default=None)
    """The same of activations in int16; without, half of int8's."""
    depthwise_int8: float = Field(gt=0)
    """Multiply-accumulates of depthwise convolutions in int8."""
    depthwise_int16: float | None = Field(gt=0, default=None)
    """The same of activations in int16; without, half of int8's."""
    depthwise_fp32: float = Field(gt=0)
    """The same in fp32."""
    elements: float = Field(gt=0)
    """Elements of results requantized, clamped and stored."""
    bytes: float = Field(gt=0)
    """Bytes read and written, from cache."""
    cache: int = Field(ge=0)
    """Bytes of constants that are still in a cache in the next inference."""
    memory: float = Field(gt=0)
    """Bytes read from memory."""
    dispatch: float = Field(ge=0)
    """Cycles that a dispatch costs before its first instruction."""

    def cycles(self, work: Work, *, from_memory: bool = False) -> float:
        """Cycles of one dispatch; `from_memory`: of a network whose constants the cache does not keep."""
        macs = {
            ("dense", "int8"): self.dense_int8,
            ("dense", "int16"): self.dense_int16 or self.dense_int8 / _OF_INT16,
            ("dense", "fp32"): self.dense_fp32,
            ("depthwise", "int8"): self.depthwise_int8,
            ("depthwise", "int16"): self.depthwise_int16 or self.depthwise_int8 / _OF_INT16,
            ("depthwise", "fp32"): self.depthwise_fp32,
        }.get((work.family, work.precision), self.dense_fp32)
        reading = max(work.moved / self.bytes, work.constants / self.memory if from_memory else 0.0)
        return self.dispatch + max(work.macs / macs, reading) + work.elements / self.elements

    def conversion(self, elements: int) -> float:
        """Cycles of a pass that changes the precision of so many elements."""
        return self.cycles(Work("other", "fp32", 0, elements, 5 * elements))
