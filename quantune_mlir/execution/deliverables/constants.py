"""The bytes of a constant of IREE's."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from quantune_mlir.errors import CompileError
from quantune_mlir.ir.mlir import ir

_COMPOSITE: Final = re.compile(r"#util\.composite<(\d+)xi8, \[")
_PART: Final = re.compile(r'dense<("0x([0-9A-F]*)"|[^<>]*)> : (?:tensor|vector)<([^<>]*)>')


def constant_bytes(attribute: ir.Attribute) -> bytes:
    """The bytes of a dense constant, or of several packed into one, as they lie in memory (little endian).

    Raises:
        CompileError: it is of a kind that is not known here.
    """
    text = str(attribute)
    packed = _COMPOSITE.match(text)
    data = b"".join(_dense_bytes(match, attribute.context) for match in _PART.finditer(text))
    if not data or (packed and len(data) != int(packed[1])):
        raise CompileError(f"a constant cannot be read: {text[:80]}", where="constants of the program")
    return data


def _dense_bytes(match: re.Match[str], context: ir.Context) -> bytes:
    *sizes, element = match[3].split("x")
    count = int(np.prod([int(size) for size in sizes], dtype=np.int64))
    if match[2] is not None:
        data = bytes.fromhex(match[2])
        kind = ir.RankedTensorType(ir.Type.parse(f"tensor<{match[3]}>", context)).element_type
        width = (kind.width + 7) // 8 if isinstance(kind, ir.IntegerType | ir.FloatType) else len(data)
        return data if len(data) != width else data * count
    dense = ir.DenseElementsAttr(
        ir.Attribute.parse(f"dense<{match[1]}> : tensor<{'x'.join([*sizes, element])}>", context)
    )
    return np.broadcast_to(np.array(dense), [int(size) for size in sizes]).tobytes()
