"""In: a clamp of a clamp that nothing else reads. Out: one.

    clamp(clamp(x, a, b), c, d)  ==  clamp(x, clamp(a, c, d), clamp(b, c, d))

The result keeps the labels of the second. Of a tensor that is rounded (`quantune.qparams`) there is nothing to join; a
clamp that is rounded itself remembers the other's bounds (`quantune.joined_clamp`), which are not those of int8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from quantune_mlir.mlir.attributes import JOINED_CLAMP, QPARAMS
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import defining_op
from quantune_mlir.mlir.function import main_function, ops_named
from quantune_mlir.pipeline.base import Pass

_BOUNDS: Final = ("min_val", "max_val")


@dataclass(frozen=True)
class JoinClamps(Pass):
    """Make one clamp of two."""

    name: ClassVar[str] = "quantune-join-clamps"

    def apply(self, module: ir.Module) -> None:
        for outer in ops_named(main_function(module), "tosa.clamp"):
            inner = defining_op(outer.operands[0], "tosa.clamp")
            if inner is None or QPARAMS in inner.attributes or len(list(inner.results[0].uses)) != 1:
                continue
            if QPARAMS in outer.attributes:
                bounds = [ir.FloatAttr(inner.attributes[name]).value for name in _BOUNDS]
                outer.attributes[JOINED_CLAMP] = ir.DenseF32ArrayAttr.get(bounds, module.context)
            low, high = (ir.FloatAttr(outer.attributes[name]).value for name in _BOUNDS)
            for name in _BOUNDS:
                bound = ir.FloatAttr(inner.attributes[name])
                outer.attributes[name] = ir.FloatAttr.get(bound.type, min(max(bound.value, low), high))
            outer.operands[0] = inner.operands[0]
            inner.erase()
