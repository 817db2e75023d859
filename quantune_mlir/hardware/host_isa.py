"""Which of our instruction sets this machine has."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
_NEEDS: Final[dict[str, frozenset[str]]] = {
    "avx512vnni": frozenset({"avx512f", "avx512bw", "avx512vl", "avx512_vnni"}),
    "avxvnni": frozenset({"avx_vnni", "fma"}),
    "avx2": frozenset({"avx2", "fma"}),
    "i8mm": frozenset({"asimddp", "i8mm", "bf16"}),
    "dotprod": frozenset({"asimddp"}),
    "armv8": frozenset({"asimd"}),
    "armv7neon": frozenset({"neon", "vfpv4"}),
    "sse4": frozenset({"sse4_2"}),
}
"""Instruction sets, the best first, and the flags of Linux that say so."""
GENERIC: Final = "generic"


@cache
def host_flags() -> frozenset[str]:
    """What Linux calls the features of this machine's CPU; empty where the system does not say."""
    return frozenset((_cpuinfo("flags", "Features") or "").split())


def needs(isa: str) -> frozenset[str]:
    """The flags without which a machine has not `isa`; none for those that are right on any."""
    return _NEEDS.get(isa, frozenset())


def host_isa() -> str:
    """The best instruction set of this machine; "generic" where the system does not say."""
    if not _CPUINFO.is_file():
        return "armv8" if platform.machine() in ("arm64", "aarch64") else GENERIC
    return next((isa for isa, flags in _NEEDS.items() if flags <= host_flags()), GENERIC)


@cache
def cpu_name() -> str:
    """What the system calls this machine's CPU."""
    return _cpuinfo("model name", "Hardware", "CPU part") or platform.processor() or platform.machine()


def _cpuinfo(*names: str) -> str | None:
    """What Linux says first under one of these names; None where it does not."""
    if not _CPUINFO.is_file():
        return None
    for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return None
