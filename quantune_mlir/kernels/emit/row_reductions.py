"""How lanes are combined to one number, for each reduction that a kernel of rows computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from quantune_mlir.kernels.emit.lanes import larger, smaller
from quantune_mlir.mlir.bindings import arith, ir


@dataclass(frozen=True)
class RowReduction:
    """`combine` of any value and `nothing` is that value; of a value and a total, the total where the value is NaN."""

    nothing: float
    combine: Callable[[ir.Value, ir.Value], ir.Value]


ROW_REDUCTIONS: Final = {
    "tosa.reduce_max": RowReduction(-np.inf, larger),
    "tosa.reduce_min": RowReduction(np.inf, smaller),
    "tosa.reduce_sum": RowReduction(0.0, lambda a, b: arith.AddFOp(a, b).result),
}
