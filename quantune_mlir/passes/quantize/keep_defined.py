"""quantune-keep-defined.

In:  simplified fp32 TOSA, and a profile of its tensors.
Out: the same, each function that int8 could take where it has no value (a reciprocal of 0, a logarithm of 0) marked
     with `quantune.fp32_only`: it has no int8 form.

Rounding moves a number by a step at most, and the noise of other layers by about as much again. So a function is
defined in int8 if it has a finite value at every code from two steps below the least number ever seen to two above the
largest, as far as these are codes of its input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from quantune_mlir.graph.network import Network
from quantune_mlir.graph.tensors import Tensors
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer.table import evaluate_unary
from quantune_mlir.mlir.attributes import FP32_ONLY
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.schemes import DEFAULT_RANGE, DEFAULT_SCHEME, RangeMethod, Scheme
from quantune_mlir.passes.quantize.assign_qparams import activation_parameters
from quantune_mlir.pipeline.base import NetworkPass

_MARGIN: Final = 2


@dataclass(frozen=True)
class KeepDefined(NetworkPass):
    """Keep functions in fp32 that int8 would ask for a value where they have none."""

    name: ClassVar[str] = "quantune-keep-defined"

    profile: Profile
    scheme: Scheme = DEFAULT_SCHEME
    range: RangeMethod = DEFAULT_RANGE

    def apply_to(self, network: Network) -> None:
        params = activation_parameters(network, self.profile, self.range, self.scheme)
        for unit in network.units:
            if unit.kind is Kind.UNARY and unit.inputs[0] in params:
                undefined = self._undefined(unit, params[unit.inputs[0]], network.tensors)
                if undefined is not None:
                    reason = f"in int8 it may have to take {undefined:.3g}, where it has no value"
                    for op in unit.ops:
                        op.attributes[FP32_ONLY] = ir.StringAttr.get(reason, op.context)

    def _undefined(self, unit: Unit, params: QuantParams, tensors: Tensors) -> float | None:
        """A number that the unit's input may be rounded to and of which the function is not finite, if there is one."""
        histograms = [self.profile[tensors.names[root]] for root in tensors.groups[unit.inputs[0]]]
        ends = (min(h.minimum for h in histograms), max(h.maximum for h in histograms))
        low, high = (round(end / params.scale) + params.zero_point for end in ends)
        codes = np.arange(max(low - _MARGIN, params.qmin), min(high + _MARGIN, params.qmax) + 1)
        values = (codes - params.zero_point) * np.float64(params.scale)
        with np.errstate(all="ignore"):
            undefined = values[~np.isfinite(evaluate_unary(unit, values))]
        return float(undefined[0]) if undefined.size else None
