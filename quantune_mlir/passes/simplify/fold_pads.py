"""In: a max pooling of what is padded with very low numbers. Out: the padding as the pooling's own.

    max_pool(slice(pad(x, p, v)), q)  ==  max_pool(slice'(x), p' + q)     v below all of x; x in every window

Exporters pad with the lowest number, minus infinity, or -10000 where they think of fp16. The slice, of rows and columns
that no window reads, may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import defining_op, erase_dead, shape_of
from quantune_mlir.mlir.function import main_function, ops_named
from quantune_mlir.mlir.tosa import build
from quantune_mlir.pipeline.base import Pass

_NEVER_LARGEST: Final = -1e4
_IMAGE: Final = slice(1, 3)
"""The axes of rows and columns in NHWC."""


@dataclass(frozen=True)
class FoldPads(Pass):
    """Let max poolings pad by themselves."""

    name: ClassVar[str] = "quantune-fold-pads"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        for pool in ops_named(function, "tosa.max_pool2d"):
            cut = defining_op(pool.operands[0], "tosa.slice")
            pad = defining_op(cut.operands[0] if cut is not None else pool.operands[0], "tosa.pad")
            if pad is not None:
                _fold(pad, cut, pool)
        erase_dead(function)


def _fold(pad: ir.Operation, cut: ir.Operation | None, pool: ir.Operation) -> None:
    source, sizes, filler = pad.operands
    amounts, value = constant_value(sizes), constant_value(filler)
    starts = constant_value(cut.operands[1]) if cut is not None else np.zeros(4, np.int64)
    if amounts is None or starts is None or value is None or value.reshape(-1)[0] > _NEVER_LARGEST:
        return
    whole = np.array(shape_of(source))
    first = starts - amounts.reshape(4, 2)[:, 0]
    end = first + shape_of(pool.operands[0])
    begin, size = np.maximum(first, 0), np.minimum(end, whole) - np.maximum(first, 0)
    before, after = np.maximum(-first, 0), np.maximum(end - whole, 0)
    total = np.stack([before, after], axis=1)[_IMAGE].reshape(-1) + _integers(pool, "pad")
    outer = [first[0], first[3], *(end - whole)[[0, 3]]]
    if any(outer) or (total >= np.repeat(_integers(pool, "kernel"), 2)).any():
        return
    if (size < whole).any():
        with ir.InsertionPoint(pool), pool.location:
            source = build.cut(source, begin.tolist(), size.tolist())
        for name in (LAYER, OP):
            source.owner.attributes[name] = pool.attributes[name]
    pool.attributes["pad"] = ir.DenseI64ArrayAttr.get(total.tolist(), pool.context)
    pool.operands[0] = source


def _integers(op: ir.Operation, name: str) -> NDArray[np.int64]:
    return np.array(list(ir.DenseI64ArrayAttr(op.attributes[name])))
