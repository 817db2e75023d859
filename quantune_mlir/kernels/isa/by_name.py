"""All instruction sets by name, and what they are on a target."""

from __future__ import annotations

from typing import Final

from quantune_mlir.hardware.memory import Memory
from quantune_mlir.hardware.targets import memory_of
from quantune_mlir.kernels.isa.arm import ARMV7_NEON, ARMV8, DOTPROD, I8MM
from quantune_mlir.kernels.isa.arm_m import ARMV7EM
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.isa.generic import GENERIC, RVV, SCALAR
from quantune_mlir.kernels.isa.mve import MVE
from quantune_mlir.kernels.isa.x86 import AVX2, AVX512_VNNI, AVX_VNNI, SSE4

ISAS: Final[dict[str, Isa]] = {
    isa.name: isa
    for isa in (AVX512_VNNI, AVX_VNNI, AVX2, SSE4, I8MM, DOTPROD, ARMV8, ARMV7_NEON, ARMV7EM, MVE, RVV, SCALAR, GENERIC)
}


def kernel_isa(name: str, memory: Memory | None = None) -> Isa:
    """An instruction set on a core with this memory; None: what its targets have unless they say otherwise."""
    return ISAS[name].on(memory or memory_of(name))
