"""Constants that are resources of a file, written into the module as dense values, which the bindings can read."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from quantune_mlir.errors import ModelError
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import DTYPES, elements_attribute

_RESOURCE: Final = re.compile(r'dense_resource<(?:"((?:[^"\\]|\\.)*)"|([^>]*))>')
_ENTRY: Final = re.compile(r'^\s*(?:"((?:[^"\\]|\\.)*)"|([\w.$-]+)): "0x([0-9A-Fa-f]*)",?$', re.MULTILINE)
_VALUES: Final = ("values", "value")
_ALIGNMENT_BYTES: Final = 4


def inline_resources(module: ir.Module, where: str) -> None:
    """Replace each resource by its values.

    A module prints its resources at its end, in hexadecimal, each led by its alignment.

    Raises:
        ModelError: the values of a constant are not in the file, or are not as many as its type says.
    """
    users: list[tuple[ir.Operation, str, str]] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        for name in _VALUES:
            attribute = op.attributes.get(name, None)
            if attribute is not None and not isinstance(attribute, ir.DenseElementsAttr):
                found = _RESOURCE.match(str(attribute))
                if found is not None:
                    users.append((op, name, found.group(1) or found.group(2)))
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    if not users:
        return
    text = module.operation.get_asm(large_elements_limit=16)
    stored = {quoted or plain: content for quoted, plain, content in _ENTRY.findall(text)}
    for op, name, key in users:
        op.attributes[name] = _dense(op.results[0].type, key, stored.get(key), where)


def _dense(kind: ir.Type, key: str, content: str | None, where: str) -> ir.Attribute:
    if content is None:
        raise ModelError(
            f"the values of the constant {key!r} are not in the file",
            where=where,
            remedy="write the module with its constants, none of them elided",
        )
    ranked = ir.RankedTensorType(kind)
    dtype = DTYPES.get(str(ranked.element_type))
    if dtype is None:
        raise ModelError(f"the constant {key!r} is of type {kind}", where=where, remedy="export the model in fp32")
    data = bytes.fromhex(content)[_ALIGNMENT_BYTES:]
    shape = tuple(ranked.shape)
    if len(data) != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise ModelError(
            f"the constant {key!r} of type {kind} has {len(data)} bytes", where=where, remedy="make the file again"
        )
    return elements_attribute(np.frombuffer(data, dtype).reshape(shape))
