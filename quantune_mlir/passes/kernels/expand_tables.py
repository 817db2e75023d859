"""quantune-expand-tables.

In:  TOSA with tables of i8.
Out: each as a gather of the entry x + 128, with x in i32. IREE's bytecode backend reads a table with the low bits of an
     integer that it narrowed on the way, without their sign, and so past the table's end; it extends i8 to i32 right.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Final

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant
from quantune_mlir.mlir.edit import replace, shape_of
from quantune_mlir.mlir.function import entry_block, functions
from quantune_mlir.mlir.tosa import build
from quantune_mlir.pipeline.base import Pass

_ENTRIES: Final = 256


@dataclass(frozen=True)
class ExpandTables(Pass):
    """Look up tables of i8 by gathering."""

    name: ClassVar[str] = "quantune-expand-tables"

    def apply(self, module: ir.Module) -> None:
        with module.context:
            ops = [op.operation for function in functions(module) for op in entry_block(function)]
            for op in ops:
                if op.name == "tosa.table" and str(build.element_of(op.operands[0])) == "i8":
                    with ir.InsertionPoint(op), op.location:
                        _expand(op)


def _expand(op: ir.Operation) -> None:
    codes, table = op.operands
    shape = shape_of(codes)
    offset = constant(np.full([1] * len(shape), _ENTRIES // 2, np.int32))
    places = build.elementwise("add", build.cast(codes, ir.IntegerType.get_signless(32)), offset)
    entries = build.reshape(table, (1, _ENTRIES, 1))
    found = build.gather(entries, build.reshape(places, (1, prod(shape))))
    replace(op, build.reshape(found, shape))
