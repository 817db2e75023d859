"""The noise at the output as it follows from how energies grow from layer to layer (`planning/propagation.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quantune_mlir.graph.units import Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import ACCUMULATED, LOCAL, ROUNDING
from quantune_mlir.model import Model
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.planning.noise_model import WORST, Powers
from quantune_mlir.planning.propagation import SATURATED, NoiseNode, linear_gain, noise_to_signal, output_gains
from quantune_mlir.sensitivity.layer_noise import LayerNoise
from quantune_mlir.sensitivity.measurement import Energies, Measurement


def propagated_noise(
    model: Model, measurement: Measurement, outputs: Sequence[str], *, saturates: bool = True
) -> LayerNoise:
    """The noise that layers bring to the outputs.

    Unless it does not saturate, what comes out as large as the signal is no longer shared by the layers.
    """
    groups = _fusion_groups(model, measurement.energies)
    nodes = [group.node for group in groups]
    at_node = {value: group.node.name for group in groups for value in group.values}
    made_by = {layer.name: layer.output for layer in model.layers}
    gains = {name: output_gains(nodes, at_node[made_by[name]]) for name in outputs if made_by[name] in at_node}
    saturated = {
        name: saturates and sum(node.local * gain.get(node.name, 0.0) for node in nodes) >= SATURATED
        for name, gain in gains.items()
    }

    def at_parts(node: NoiseNode, energy: float) -> Powers:
        return np.array(
            [
                noise_to_signal(node, energy, gain, saturated=saturated[name]) / measurement.signal_share(name)
                for name, gain in gains.items()
            ]
        )

    deciding = {layer.name for layer in model.layers if layer.decides}
    mine = [group for group in groups if group.node.name in deciding]
    return LayerNoise(
        parts=tuple(gains),
        own={group.node.name: at_parts(group.node, group.removable) for group in mine},
        alone={group.node.name: at_parts(group.node, group.node.local) for group in mine},
        rounded={group.end: at_parts(group.node, group.rounding) for group in groups if group.rounding > 0},
    )


@dataclass(frozen=True)
class _Group:
    """A fusion group: its node, called after the layer that decides on it, and the values that it makes.

    `end` is its last layer. `removable` is the part of the node's local noise energy that goes away if the group is
    fp32, and `rounding` what its result brings by being rounded for several readers.
    """

    node: NoiseNode
    end: str
    values: tuple[ir.Value, ...]
    removable: float
    rounding: float


def _fusion_groups(model: Model, energies: Energies) -> list[_Group]:
    clamps = model.network.clamps
    heads = {layer.output: layer for layer in model.layers if layer.output in clamps}
    ends = {clamp.output: value for value, clamp in clamps.items() if value in heads}
    makers, private = model.network.makers, model.network.private_values
    rounding = {
        layer.output: _energy(energies[layer.name, ROUNDING])
        for layer in model.layers
        if (layer.name, ROUNDING) in energies
    }
    made_by: dict[ir.Value, str] = {}
    noise: dict[str, float] = {}
    groups: list[_Group] = []
    for layer in model.layers:
        if layer.output in clamps or (layer.name, ACCUMULATED) not in energies:
            continue
        head = next((heads[ends[unit.output]] for unit in layer.units if unit.output in ends), layer)
        inputs = tuple(dict.fromkeys(_origins(head.inputs, made_by, makers)))
        end = energies[layer.name, ACCUMULATED]
        local = _energy(energies.get((layer.name, LOCAL), ErrorEnergy())) if head.decides else 0.0
        gain = linear_gain(_energy(end), local, sum(noise[name] for name in inputs))
        node = NoiseNode(head.name, inputs, end.signal, local, gain)
        rounded = rounding.get(layer.output, 0.0)
        shared = [value for value in head.inputs if value not in private]
        removable = local - rounded - gain * sum(rounding.get(value, 0.0) for value in shared)
        left = 0.0 if layer.output in private else rounded
        values = tuple(unit.output for unit in layer.units)
        groups.append(_Group(node, layer.name, values, max(0.0, removable), left))
        noise[head.name] = _energy(end)
        made_by.update(dict.fromkeys(values, head.name))
    return groups


def _origins(values: Sequence[ir.Value], made_by: Mapping[ir.Value, str], makers: Mapping[ir.Value, Unit]) -> list[str]:
    """The nodes that values come from, through ops that belong to no node."""
    found: list[str] = []
    for value in values:
        while value not in made_by and value in makers and makers[value].inputs:
            value = makers[value].inputs[0]
        if value in made_by:
            found.append(made_by[value])
    return found


def _energy(energy: ErrorEnergy) -> float:
    """The noise, or what counts as the worst if it is not known."""
    return energy.noise if energy.known else WORST * (energy.signal if np.isfinite(energy.signal) else 1.0)
