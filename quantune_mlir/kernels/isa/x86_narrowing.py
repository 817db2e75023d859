"""f32 results to i8 on x86: rounded by vcvtps2dq, packed with saturation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.rounding import NARROWED, Narrowing, Rounding
from quantune_mlir.kernels.isa.depthwise import RUN, lanes_of
from quantune_mlir.mlir.bindings import ir

_PACKS: Final = {
    4: ("llvm.x86.sse2.packssdw.128", "llvm.x86.sse2.packsswb.128"),
    8: ("llvm.x86.avx2.packssdw", "llvm.x86.avx2.packsswb"),
    16: ("llvm.x86.avx512.packssdw.512", "llvm.x86.avx512.packsswb.512"),
}


def _round(values: ir.Value) -> ir.Value:
    """vcvtps2dq, in the default rounding mode: half to even."""
    lanes = lanes_of(values)
    kind = code.vector_type(lanes, "i32")
    if lanes < 16:
        return code.intrinsic("llvm.x86.avx.cvt.ps2dq.256" if lanes == 8 else "llvm.x86.sse2.cvtps2dq", kind, values)
    zero, every = code.splat(0, lanes, "i32"), code.constant(-1, "i16")
    return code.intrinsic("llvm.x86.avx512.mask.cvtps2dq.512", kind, values, zero, every, code.constant(4, "i32"))


ROUNDING: Final = Rounding(2.0**30, _round)


def pack(vectors: Sequence[ir.Value]) -> ir.Value:
    """Four vectors of i32 as i8, saturated: in each 128 bits four elements of each."""
    lanes = lanes_of(vectors[0])
    to_words, to_bytes = _PACKS[lanes]
    a, b, c, d = vectors
    words = [code.intrinsic(to_words, code.vector_type(2 * lanes, "i16"), *pair) for pair in ((a, b), (c, d))]
    return code.intrinsic(to_bytes, code.vector_type(4 * lanes, "i8"), *words)


def _pack_in_order(vectors: Sequence[ir.Value]) -> ir.Value:
    """As `pack`, one vector after the other: vpermd."""
    lanes = lanes_of(vectors[0])
    packed = pack(vectors)
    if lanes == RUN:
        return packed
    runs = code.bitcast(packed, lanes, "i32")
    order = [run * NARROWED + vector for vector in range(NARROWED) for run in range(lanes // RUN)]
    return code.bitcast(code.shuffle(runs, runs, order), NARROWED * lanes, "i8")


NARROWING: Final = Narrowing(ROUNDING, _pack_in_order)
