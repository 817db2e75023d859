"""All instruction sets by name."""

from __future__ import annotations

from typing import Final, Literal

from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.isa.x86 import AVX2, AVX512_VNNI, AVX_VNNI

IsaName = Literal["avx512vnni", "avxvnni", "avx2", "generic"]

ISAS: Final[dict[str, Isa]] = {isa.name: isa for isa in (AVX512_VNNI, AVX_VNNI, AVX2)}
