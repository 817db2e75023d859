"""What a run keeps of each layer, in one record: format, ground, noise, cost, boundaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.units import Kind
from quantune_mlir.integer.dot import weights_of
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.model import Model
from quantune_mlir.planning.decisions import Decision, Decisions

_MOST_CHANNELS: Final = 64


@dataclass(frozen=True)
class ChannelSpread:
    """How far a layer's weights reach in each output channel.

    Attributes:
        channels: how many there are.
        largest: largest magnitudes by channel, ascending; at most 64 of them, evenly spaced, ends included.
    """

    channels: int
    largest: tuple[float, ...]


@dataclass(frozen=True)
class LayerRecord:
    """One layer of the mixed network.

    Attributes:
        layer: as the model has it.
        precision: what it computes in.
        decision: why; None if it follows its neighbours.
        shape: of its output.
        inputs: the layers that it reads, and `%x` for the graph input `x`.
        boundaries: those of them that compute in the other precision.
        weights: None if it has none.
    """

    layer: Layer
    precision: str
    decision: Decision | None
    shape: tuple[int, ...]
    inputs: tuple[str, ...]
    boundaries: tuple[str, ...]
    weights: ChannelSpread | None


def layer_records(model: Model, precision: Mapping[str, str], decisions: Decisions) -> Iterator[LayerRecord]:
    """The records of all layers, in graph order."""
    sources = _sources(model)
    for layer in model.layers:
        inputs = tuple(dict.fromkeys(name for value in layer.inputs for name in sources.get(value, ())))
        yield LayerRecord(
            layer,
            precision[layer.name],
            decisions.get(layer.name),
            tuple(shape_of(layer.output)),
            inputs,
            tuple(name for name in inputs if precision.get(name, precision[layer.name]) != precision[layer.name]),
            _spread(layer),
        )


def _sources(model: Model) -> dict[ir.Value, Sequence[str]]:
    """By value, the layer that makes it; where none does, those that what makes it reads."""
    names = model.network.tensors.names.items()
    found: dict[ir.Value, Sequence[str]] = {v: (name,) for v, name in names if isinstance(v, ir.BlockArgument)}
    for unit in model.network.units:
        inputs = (name for value in unit.inputs for name in found.get(value, ()))
        found[unit.output] = tuple(dict.fromkeys(inputs)) if unit.layer is None else (unit.layer,)
    return found


def _spread(layer: Layer) -> ChannelSpread | None:
    dots = (weights_of(unit) for unit in layer.units if unit.kind is Kind.DOT)
    weights, axis = next((found for found in dots if found is not None), (None, 0))
    if weights is None:
        return None
    others = tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.sort(np.maximum(weights.max(axis=others), -weights.min(axis=others)))
    places = np.linspace(0, len(largest) - 1, min(_MOST_CHANNELS, len(largest))).round().astype(int)
    return ChannelSpread(len(largest), tuple(float(f"{value:.4g}") for value in largest[places]))
