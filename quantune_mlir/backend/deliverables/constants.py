"""The bytes of IREE's constants."""

from __future__ import annotations

import re
from functools import cached_property
from math import prod
from typing import Final

import numpy as np

from quantune_mlir.errors import CompileError
from quantune_mlir.mlir.bindings import ir

_COMPOSITE: Final = re.compile(r"#util\.composite<(\d+)xi8, \[")
_PART: Final = re.compile(r"""(?x)
    dense< (?: "0x(?P<hex> [0-9A-F]*)" | (?P<values> [^<>]*) )> \s:\s (?:tensor|vector)< (?P<kind> [^<>]*)>
    | dense_resource< (?P<resource> [^<>]*)> \s:\s tensor<[^<>]*>""")
_RESOURCE: Final = re.compile(r'^\s*("?)(?P<name>[\w.$-]+)\1: "0x[0-9A-F]{8}(?P<hex>[0-9A-F]*)"', re.MULTILINE)
"""In the text of a module: its alignment in four bytes, then its data."""


class Constants:
    """The constants of a module."""

    def __init__(self, module: ir.Module) -> None:
        self._module = module

    def bytes_of(self, attribute: ir.Attribute) -> bytes:
        """The bytes of a constant, or of several packed into one, as they lie in memory (little endian).

        Raises:
            CompileError: it is of a kind that is not known here.
        """
        text = str(attribute)
        packed = _COMPOSITE.match(text)
        data = b"".join(self._part(match) for match in _PART.finditer(text))
        if not data or (packed and len(data) != int(packed[1])):
            raise CompileError(f"a constant cannot be read: {text[:80]}", where="constants of the program")
        return data

    def _part(self, match: re.Match[str]) -> bytes:
        if match["resource"] is not None:
            return self._resources.get(match["resource"].strip('"'), b"")
        *sizes, element = match["kind"].split("x")
        shape = [int(size) for size in sizes]
        if match["hex"] is not None:
            data, size = bytes.fromhex(match["hex"]), prod(shape) * -(-int(re.sub(r"\D", "", element)) // 8)
            return data * (size // len(data))  # One element stands for all that are equal.
        dense = ir.Attribute.parse(f"dense<{match['values']}> : tensor<{match['kind']}>", self._module.context)
        return np.broadcast_to(np.array(ir.DenseElementsAttr(dense)), shape).tobytes()

    @cached_property
    def _resources(self) -> dict[str, bytes]:
        """Constants that stand beside the module: the bindings show them only in its text."""
        text = self._module.operation.get_asm()
        return {match["name"]: bytes.fromhex(match["hex"]) for match in _RESOURCE.finditer(text)}
