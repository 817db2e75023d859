"""Four f32 results a vector to i8 on 64-bit Arm: rounded by fcvtns, narrowed by sqxtn with saturation."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.rounding import Narrowing, Rounding
from quantune_mlir.mlir.bindings import ir


def _round(values: ir.Value) -> ir.Value:
    """Fcvtns: half to even, saturated."""
    return code.intrinsic("llvm.aarch64.neon.fcvtns.v4i32.v4f32", code.vector_type(4, "i32"), values)


def _narrow(vectors: Sequence[ir.Value]) -> ir.Value:
    """Four vectors of i32, one after the other, as i8."""
    a, b, c, d = vectors
    words = [_halved(pair, 4, "i16", "llvm.aarch64.neon.sqxtn.v4i16") for pair in ((a, b), (c, d))]
    return _halved(words, 8, "i8", "llvm.aarch64.neon.sqxtn.v8i8")


def _halved(vectors: Sequence[ir.Value], lanes: int, element: str, name: str) -> ir.Value:
    """Two vectors as one of elements half as wide: sqxtn and sqxtn2."""
    low, high = (code.intrinsic(name, code.vector_type(lanes, element), vector) for vector in vectors)
    return code.shuffle(low, high, range(2 * lanes))


NARROWING: Final = Narrowing(Rounding(inf, _round), _narrow)
