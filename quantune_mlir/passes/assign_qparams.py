"""quantune-assign-qparams.

In:  simplified fp32 TOSA, and a profile of its tensors.
Out: the same, each tensor that has an int8 form annotated with `quantune.qparams`.

Tensors that share parameters (DESIGN: reshapes, pools, concatenations) get the range of their merged histograms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

from quantune_mlir.errors import DataError
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.qparams import write_qparams
from quantune_mlir.ir.tensors import find_tensors
from quantune_mlir.ir.units import entry_block, find_units
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.parameters import QuantParams, activation_params
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.ranges import choose_range
from quantune_mlir.numerics.schemes import RangeMethod, Scheme
from quantune_mlir.passes.base import Pass


@dataclass(frozen=True)
class AssignQParams(Pass):
    """Choose each tensor's range from its histogram and annotate its quantization parameters."""

    name: ClassVar[str] = "quantune-assign-qparams"

    profile: Profile
    scheme: Scheme = Scheme.ASYMMETRIC
    range: RangeMethod = RangeMethod.MINMAX

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        tensors = find_tensors(function, find_units(entry_block(function)))
        chosen: dict[tuple[ir.Value, ...], QuantParams] = {}
        for group in dict.fromkeys(tensors.groups.values()):
            histogram = reduce(Histogram.merge, (self._histogram(tensors.names[root]) for root in group))
            low, high = choose_range(histogram, self.range, scheme=self.scheme)
            chosen[group] = activation_params(low, high, self.scheme)
        write_qparams(function, {value: chosen[group] for value, group in tensors.groups.items()})

    def _histogram(self, tensor: str) -> Histogram:
        if tensor not in self.profile:
            raise DataError(
                "the profile has no such tensor", where=tensor, remedy="profile this model again; it has changed"
            )
        return self.profile[tensor]
