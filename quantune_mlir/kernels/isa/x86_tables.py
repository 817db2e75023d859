"""Tables of an i8 on AVX-512: the 256 entries stand in four registers, and vpermi2d chooses among them.

word = a pair of registers by the sign of x; of its 32 words that of bits 2 to 6 of x
entry = byte (x mod 4) of the word, shifted to the top and back with its sign
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.byte_tables import ByteTables
from quantune_mlir.mlir.bindings import arith, ir

_LANES: Final = 16
_CHOOSE: Final = "llvm.x86.avx512.vpermi2var.d.512"


def _arrange(table: NDArray[np.int8]) -> NDArray[np.int32]:
    """By the entries' own bits, from 0 on: those of negative numbers come last."""
    return np.roll(table, 128).view(np.int32)


def _look_up(buffer: ir.Value, values: ir.Value) -> ir.Value:
    kind = code.vector_type(_LANES, "i32")

    def every(number: int) -> ir.Value:
        return code.splat(number, _LANES, "i32")

    def word(first: int) -> ir.Value:
        lower, upper = (code.load(buffer, _LANES * (first + i), _LANES) for i in range(2))
        return code.intrinsic(_CHOOSE, kind, lower, place, upper)

    place = arith.ShRUIOp(values, every(2)).result
    negative = arith.CmpIOp(arith.CmpIPredicate.slt, values, every(0)).result
    found = code.select(negative, word(2), word(0))
    after = arith.AndIOp(arith.XOrIOp(values, every(-1)).result, every(3)).result
    top = arith.ShLIOp(found, arith.ShLIOp(after, every(3)).result).result
    return arith.ShRSIOp(top, every(24)).result


AVX512_TABLES: Final = ByteTables(_arrange, _look_up)
