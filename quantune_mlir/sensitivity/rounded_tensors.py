"""The tensors that several layers read, which are rounded for each of them or once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from quantune_mlir.graph.epilogues import is_piecewise_linear
from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.units import SHARING, Kind, Unit
from quantune_mlir.model import Model
from quantune_mlir.planning.noise_model import Powers
from quantune_mlir.planning.sensitivity import RoundedTensor


def rounded_tensors(model: Model, noise: Mapping[str, Powers], kept: Mapping[str, Powers]) -> tuple[RoundedTensor, ...]:
    """The tensors that several layers read, by the layer that makes each, with the noise of their rounding.

    Of a tensor that is moved and selected from only what is read in the end counts: it is rounded once. Readers share
    it as they share what stays of their own noise if each alone is fp32. A function that is computed in fp32 is rounded
    for int8 readers only, a table for all.
    """
    readers, makers = model.network.deciding_readers, model.network.owners
    read = {value for layer in model.layers if layer.decides for value in layer.inputs}
    found: list[RoundedTensor] = []
    for layer in model.layers:
        mine = readers.get(layer.output, [])
        if layer.name in noise and layer.output in read:
            nothing = np.zeros(len(noise[layer.name]))
            apart = np.array([np.fmax(kept.get(name, nothing), nothing) for name in mine])
            weights = apart.max(axis=1)
            shares = weights / weights.sum() if 0 < weights.sum() < np.inf else np.full(len(mine), 1 / len(mine))
            found.append(
                RoundedTensor(
                    layer=layer.name,
                    maker=None if ends_piecewise_linear(layer) else makers.get(layer.name) or None,
                    counted=_last(layer, lambda unit: unit.kind is Kind.UNARY and not is_piecewise_linear(unit)),
                    readers=dict(zip(mine, shares.tolist(), strict=True)),
                    noise=tuple(noise[layer.name].tolist()),
                    apart=tuple(apart.sum(axis=0).tolist()) if apart.any() else (),
                )
            )
    return tuple(found)


def ends_piecewise_linear(layer: Layer) -> bool:
    """Whether the last unit of a layer that computes is a piecewise linear function."""
    return _last(layer, is_piecewise_linear)


def _last(layer: Layer, holds: Callable[[Unit], bool]) -> bool:
    """Whether something holds of the last unit of a layer that computes."""
    last = [unit for unit in layer.units if unit.kind not in SHARING]
    return bool(last) and holds(last[-1])
