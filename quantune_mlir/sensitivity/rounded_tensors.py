"""The tensors that several layers read, which are rounded for each of them or once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quantune_mlir.graph.epilogues import is_piecewise_linear
from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.units import Kind
from quantune_mlir.model import Model
from quantune_mlir.planning.noise_model import Powers
from quantune_mlir.planning.sensitivity import RoundedTensor


def rounded_tensors(
    model: Model,
    noise: Mapping[str, Powers],
    kept: Mapping[str, Powers],
    functions: Mapping[str, str | None],
) -> tuple[RoundedTensor, ...]:
    """The tensors that several layers read, by the layer that makes each, with the noise of their rounding.

    Of a tensor that is moved and selected from only what is read in the end counts: it is rounded once. Readers share
    it as they share what stays of their own noise if each alone is fp32. A function that is computed in fp32 is rounded
    for int8 readers only, a table for all.

    Args:
        model: whose tensors.
        noise: at each part, that the rounding of a layer's result brings.
        kept: of each layer's, what stays if that alone is fp32.
        functions: see float_functions.py.
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
                    maker=None if _ends_in_fp32(layer, functions) else makers.get(layer.name) or None,
                    argument=functions.get(layer.name),
                    counted=_ends_in_table(layer) and layer.name not in functions,
                    readers=dict(zip(mine, shares.tolist(), strict=True)),
                    noise=tuple(noise[layer.name].tolist()),
                    apart=tuple(apart.sum(axis=0).tolist()) if apart.any() else (),
                )
            )
    return tuple(found)


def _ends_in_fp32(layer: Layer, functions: Mapping[str, str | None]) -> bool:
    """Whether its last function is computed in fp32 whatever the plan."""
    if layer.name in functions:
        return functions[layer.name] is None
    return len(layer.computing) > 1 and is_piecewise_linear(layer.computing[-1])


def _ends_in_table(layer: Layer) -> bool:
    return any(unit.kind is Kind.UNARY for unit in layer.computing[-1:])
