"""A copy of a module in a context of its own, to which the original lends its large constants.

A context keeps all constants that it ever held: what passes make of a network's weights stays until the context goes,
so it had better be one of the copy's own. The weights themselves need not be there twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.constants import CONST, constant_value, lend_constant, zeros_attribute
from quantune_mlir.mlir.edit import copy_module
from quantune_mlir.mlir.function import functions, ops_named
from quantune_mlir.mlir.text import module_bytecode, parse_module

_LEAST_BYTES: Final = 1 << 14
"""Smaller constants are copied."""


def in_own_context(module: ir.Module) -> ir.Module:
    """A copy of `module` in a new context, which goes with the copy. Until then that of `module` stays as well."""
    frame = copy_module(module)
    lent: dict[ir.Attribute, np.ndarray] = {}
    places: dict[int, ir.Attribute] = {}
    for position, op in enumerate(_constants(frame)):
        value = constant_value(op.result)
        if value is not None and value.dtype != np.bool_ and value.nbytes >= _LEAST_BYTES and 0 not in value.strides:
            places[position] = op.attributes["values"]
            lent[places[position]] = value
            op.attributes["values"] = zeros_attribute(op.result.type)
    copy = parse_module(module_bytecode(frame), make_context())
    borrowed: dict[ir.Attribute, ir.Attribute] = {}
    for position, op in enumerate(_constants(copy)):
        if position in places:
            lender = places[position]
            if lender not in borrowed:
                borrowed[lender] = lend_constant(lent[lender], f"lent_{len(borrowed)}", op.result.type)
            op.attributes["values"] = borrowed[lender]
    return copy


def _constants(module: ir.Module) -> Iterator[ir.Operation]:
    for function in functions(module):
        yield from ops_named(function, CONST)
