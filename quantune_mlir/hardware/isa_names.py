"""The instruction sets that there are kernels for."""

from __future__ import annotations

from typing import Final, Literal, get_args

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
HOST: Final = "host"
"""In a target's description: this machine's best one."""
ISA_NAMES: Final[tuple[str, ...]] = get_args(IsaName)
