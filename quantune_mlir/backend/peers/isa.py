"""Which instructions of x86 a peer may use, so that it runs on the CPUs that our programs run on."""

from __future__ import annotations

from typing import Final

from quantune_mlir.hardware.targets import Target

_ONEDNN: Final = (("avx512_vnni", "AVX512_CORE_VNNI"), ("avx_vnni", "AVX2_VNNI"), ("avx2", "AVX2"), ("sse4_1", "SSE41"))
"""A CPU feature as Linux calls it, and oneDNN's name for the instructions that go with it; the widest first."""

_LEVELS: Final = {"x86-64-v2": "SSE41", "x86-64-v3": "AVX2", "cascadelake": "AVX512_CORE_VNNI"}


def onednn_isa(target: Target, features: frozenset[str]) -> str | None:
    """ONEDNN_MAX_CPU_ISA for `target` on a CPU with `features`; None: not x86, or unknown, nothing to limit.

    AMX is beyond all of them: IREE cannot use it, and no embedded CPU has it.
    """
    if target.cpu in _LEVELS:
        return _LEVELS[target.cpu]
    return next((isa for feature, isa in _ONEDNN if feature in features), None)
