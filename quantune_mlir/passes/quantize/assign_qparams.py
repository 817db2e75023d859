"""quantune-assign-qparams.

In:  simplified fp32 TOSA, and a profile of its tensors.
Out: the same, each tensor that has an int8 form annotated with `quantune.qparams`, and with `quantune.range`, which
     codes of more bits span: all that was seen, for they have no need to clip, and what the range of int8 has beyond.

A tensor with `quantune.extremes`, which equalization has scaled, gets that range, for the profile has seen other
numbers, and goes as far beyond it as the range of these does.
Tensors that share parameters (through reshapes, pools, concatenations) get the range of their merged histograms, and
of the constants that are padded or concatenated to them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quantune_mlir.graph.network import Network
from quantune_mlir.graph.tensors import joined_constants
from quantune_mlir.graph.units import Unit
from quantune_mlir.mlir.attributes import EXTREMES
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.qparams import Range, write_qparams, write_ranges
from quantune_mlir.mlir.signature import model_hash
from quantune_mlir.numerics.parameters import QuantParams, activation_params
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.schemes import DEFAULT_RANGE, DEFAULT_SCHEME, RangeMethod, Scheme, extent
from quantune_mlir.pipeline.base import NetworkPass


@dataclass(frozen=True)
class AssignQParams(NetworkPass):
    """Choose each tensor's range from its histogram and annotate its quantization parameters."""

    name: ClassVar[str] = "quantune-assign-qparams"

    profile: Profile
    scheme: Scheme = DEFAULT_SCHEME
    range: RangeMethod = DEFAULT_RANGE

    preserves_network: ClassVar[bool] = True

    def apply_to(self, network: Network) -> None:
        self.profile.require_model(model_hash(network.module))
        write_qparams(network.function, activation_parameters(network, self.profile, self.range, self.scheme))
        methods = (RangeMethod.MINMAX, self.range)
        seen, chosen = (_ranges(network, self.profile, method, self.scheme) for method in methods)
        hulls = {value: (min(lo, chosen[value][0]), max(hi, chosen[value][1])) for value, (lo, hi) in seen.items()}
        write_ranges(network.function, hulls)


def activation_parameters(
    network: Network, profile: Profile, method: RangeMethod, scheme: Scheme
) -> dict[ir.Value, QuantParams]:
    """The parameters of each activation that has an int8 form, from the profile of its tensor.

    Raises:
        DataError: the profile lacks a tensor.
    """
    ranges = _ranges(network, profile, method, scheme)
    chosen = {ends: activation_params(*ends, scheme) for ends in dict.fromkeys(ranges.values())}
    return {value: chosen[ends] for value, ends in ranges.items()}


def _ranges(network: Network, profile: Profile, method: RangeMethod, scheme: Scheme) -> dict[ir.Value, Range]:
    tensors = network.tensors
    constants: dict[tuple[ir.Value, ...], list[float]] = defaultdict(list)
    for unit in network.units:
        if unit.output in tensors.groups:
            constants[tensors.groups[unit.output]] += _extremes(unit)
    chosen: dict[tuple[ir.Value, ...], Range] = {}
    for group in dict.fromkeys(tensors.groups.values()):
        scaled = [_beyond(root, tensors.names[root], profile, method, scheme) for root in group if is_scaled(root)]
        profiled = tuple(tensors.names[root] for root in group if not is_scaled(root))
        if profiled:
            scaled.append(profile.range_of(profiled, method, scheme))
        lows, highs = zip(*scaled, strict=True)
        chosen[group] = min(*lows, *constants[group], 0), max(*highs, *constants[group], 0)
    return {value: chosen[group] for value, group in tensors.groups.items()}


def is_scaled(root: ir.Value) -> bool:
    """Whether equalization has scaled a tensor, so that the profile has seen other numbers."""
    return not isinstance(root, ir.BlockArgument) and EXTREMES in root.owner.operation.attributes


def _beyond(scaled: ir.Value, name: str, profile: Profile, method: RangeMethod, scheme: Scheme) -> Range:
    """The extremes of a scaled tensor, and as many times as far as its range goes beyond those that the profile saw."""
    seen = extent(profile[name].minimum, profile[name].maximum)
    chosen = profile.range_of((name,), method, scheme)
    low, high = ir.DenseF32ArrayAttr(scaled.owner.operation.attributes[EXTREMES])
    further = [max(1.0, new / old) if old else 1.0 for new, old in zip(chosen, seen, strict=True)]
    return low * further[0], high * further[1]


def _extremes(unit: Unit) -> list[float]:
    """The least and the largest constant that joins a unit's inputs; what stands for infinity saturates instead."""
    joined = [array.ravel() for array in joined_constants(unit).values()]
    values = np.concatenate([np.zeros(0, np.float32), *joined])
    values = values[np.abs(values) < np.finfo(np.float32).max]
    return [float(values.min()), float(values.max())] if values.size else []
