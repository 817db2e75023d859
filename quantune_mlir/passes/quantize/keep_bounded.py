"""quantune-keep-bounded.

In:  simplified fp32 TOSA, and a profile of its tensors.
Out: the same, each unit whose int32 accumulators are not proved to hold all sums marked with `quantune.fp32_only`.

The proof is that of numerics/accumulators.py, over the integers of the weights: the sum of |w| times the largest
|q - z|, and |bias|, for each output channel. What bias correction may yet add is at most half a step of every weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.graph.network import Network
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer.bounds import bound_of_sums, overflow
from quantune_mlir.integer.dot import accumulator_bound, quantized_weights, weights_of
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.mlir.attributes import FP32_ONLY
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.numerics.accumulators import INT32_MAX, reach
from quantune_mlir.numerics.formats import INT8
from quantune_mlir.numerics.parameters import ACCUMULATOR_BITS, QMIN, QuantParams, largest_bias
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.schemes import DEFAULT_RANGE, DEFAULT_SCHEME, RangeMethod, Scheme
from quantune_mlir.passes.quantize.assign_qparams import activation_parameters
from quantune_mlir.pipeline.base import NetworkPass


@dataclass(frozen=True)
class KeepBounded(NetworkPass):
    """Keep layers in fp32 whose int32 sums might overflow."""

    name: ClassVar[str] = "quantune-keep-bounded"

    profile: Profile
    scheme: Scheme = DEFAULT_SCHEME
    range: RangeMethod = DEFAULT_RANGE

    def apply_to(self, network: Network) -> None:
        adding = [unit for unit in network.units if unit.kind in (Kind.DOT, Kind.MEAN, Kind.AVERAGE)]
        if not any(_may_overflow(unit) for unit in adding):
            return
        params = activation_parameters(network, self.profile, self.range, self.scheme)
        for unit in filter(_may_overflow, adding):
            if all(value in params for value in unit.inputs):
                reason = overflow(self._bound(unit, [params[value] for value in unit.inputs]))
                if reason is not None:
                    for op in unit.ops:
                        op.attributes[FP32_ONLY] = ir.StringAttr.get(reason, op.context)

    def _bound(self, unit: Unit, params: Sequence[QuantParams]) -> int:
        found = weights_of(unit) if unit.kind is Kind.DOT else None
        if found is None:
            twice = unit.kind is Kind.DOT and len(params) == 1  # a product of a tensor and itself
            return bound_of_sums(unit, [*params, *params] if twice else params)
        quantized = quantized_weights(unit, params[0].scale, IntegerOptions(scheme=self.scheme), INT8)
        return accumulator_bound(unit, params, quantized) + reach(params[0]) * _terms(unit) // 2


def _may_overflow(unit: Unit) -> bool:
    """Whether there are so many terms that it takes numbers to tell."""
    widest = -2 * QMIN - 1
    if unit.kind is Kind.DOT:
        factor = -QMIN if weights_of(unit) is not None else widest
        return int(largest_bias(ACCUMULATOR_BITS)) + _terms(unit) * widest * (2 * factor + 1) // 2 > INT32_MAX
    return bound_of_sums(unit, [QuantParams(1.0, QMIN)]) > INT32_MAX


def _terms(unit: Unit) -> int:
    found = weights_of(unit)
    return bound_of_sums(unit, []) if found is None else found[0].size // found[0].shape[found[1]]
