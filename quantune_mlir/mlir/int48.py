"""Constants of i48, TOSA's accumulators of int16: MLIR's bindings make no arrays of them, nor of arrays them."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.mlir.bindings import ir

_BITS: Final = 48
_BYTES: Final = _BITS // 8


def is_int48(kind: ir.Type) -> bool:
    """Whether an element type is i48."""
    return isinstance(kind, ir.IntegerType) and kind.width == _BITS


def int48_attribute(array: NDArray[np.int64]) -> ir.DenseElementsAttr:
    """A dense elements attribute of the numbers, which i48 can hold."""
    element = ir.IntegerType.get_signless(_BITS)
    kind = ir.RankedTensorType.get(list(array.shape), element)
    return ir.DenseElementsAttr.get([ir.IntegerAttr.get(element, int(number)) for number in array.reshape(-1)], kind)


def int48_array(attribute: ir.DenseElementsAttr) -> NDArray[np.int64]:
    """The numbers of a dense elements attribute of i48; it is read as it is spelled."""
    kind = ir.RankedTensorType(attribute.type)
    spelled = str(attribute).partition("<")[2].rpartition("> :")[0]
    if spelled.startswith('"0x'):
        raw = np.frombuffer(bytes.fromhex(spelled[3:-1]), np.uint8).reshape(-1, _BYTES)
        padded = np.zeros((len(raw), 8), np.uint8)
        padded[:, 8 - _BYTES :] = raw
        numbers = padded.view(np.int64).reshape(-1) >> (64 - _BITS)
    else:
        numbers = np.array([int(number) for number in re.findall(r"-?\d+", spelled)], np.int64)
    return np.broadcast_to(numbers, kind.shape) if numbers.size == 1 else numbers.reshape(kind.shape)
