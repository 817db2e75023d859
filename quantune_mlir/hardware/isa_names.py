"""The instruction sets that there are kernels for."""

from __future__ import annotations

from typing import Literal

IsaName = Literal[
    "avx512vnni",
    "avxvnni",
    "avx2",
    "sse4",
    "i8mm",
    "dotprod",
    "armv8",
    "armv7neon",
    "armv7em",
    "mve",
    "rvv",
    "scalar",
    "generic",
]
