"""From the measured energies of a model's layers to the noise that each would bring to the network's output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from quantune_mlir.ir.fusion import foldable_clamps, private_values
from quantune_mlir.ir.layers import Layer, closing_values
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.quantune import (
    ACCUMULATED,
    LOCAL,
    PROJECTED,
    PROJECTED_STRANDS,
    RESIDUAL,
    ROUNDING,
    Noise,
)
from quantune_mlir.ir.units import Unit, entry_block
from quantune_mlir.numerics.metrics import ErrorEnergy, Signal
from quantune_mlir.planning.propagation import SATURATED, NoiseNode, linear_gain, output_noise
from quantune_mlir.workflow.model import Model

Energies = Mapping[tuple[str, Noise], ErrorEnergy]


def group_end(layer: Layer, clamps: Mapping[ir.Value, Unit]) -> str:
    """The name of the clamp that folds into a layer's epilogue, or of the layer itself."""
    clamp = clamps.get(layer.output)
    return layer.name if clamp is None or clamp.layer is None else clamp.layer


@dataclass(frozen=True)
class NoiseBudget:
    """Predicted noise-to-signal power at the network's output.

    Attributes:
        layers: what each deciding layer would take away by being fp32 alone, with every layer int8: the error of its
            weights and, where no other layer reads its input, that of its input's rounding.
        rounding: the rest with every layer int8: tensors rounded to int8 between layers.
        alone: what each deciding layer adds if it alone is int8.
        signal: what noise is compared with.
        signal_share: its energy over that of the output, at most 1.
    """

    layers: dict[str, float]
    rounding: float
    alone: dict[str, float]
    signal: Signal = "output"
    signal_share: float = 1.0

    def against(self, signal: Signal, share: float) -> NoiseBudget:
        """The same noise, of a budget for the whole output, beside a signal of such a share of its energy."""
        layers, alone = ({name: noise / share for name, noise in part.items()} for part in (self.layers, self.alone))
        return NoiseBudget(layers, self.rounding / share, alone, signal, share)


def noise_at_output(model: Model, energies: Energies) -> NoiseBudget:
    """The noise budget of a model from the measured energies of its layers.

    It was projected to the output by the run itself, or else follows from how energies grow from layer to layer.
    """
    deciding = [layer.name for layer in model.layers if layer.decides]
    if deciding and all((name, PROJECTED) in energies for name in deciding):
        budget = _projected(model, energies, deciding)
    else:
        budget = _propagated(model, energies)
    for (name, noise), energy in energies.items():
        if noise == RESIDUAL and 0 < energy.noise < energy.signal:
            return budget.against(cast(Signal, name), energy.noise / energy.signal)
    return budget


def _projected(model: Model, energies: Energies, deciding: Sequence[str]) -> NoiseBudget:
    (value,) = closing_values(model.units, model.layers)
    (closing,) = (layer.name for layer in model.layers if layer.output == value)
    output = energies[closing, ACCUMULATED]
    scale = 1 / output.signal if output.signal else 0.0
    total = scale * output.noise
    alone = {name: scale * _made(energies, name) for name in deciding}
    layers = {name: alone[name] * _removed_share(energies[name, PROJECTED]) for name in deciding}
    if total < SATURATED and sum(layers.values()) > total:
        layers = {name: noise * total / sum(layers.values()) for name, noise in layers.items()}
    return NoiseBudget(layers, max(0.0, total - sum(layers.values())), alone)


def _made(energies: Energies, name: str) -> float:
    """What a layer makes, by two estimates: one scatters, the other leaves out what its strands have in common.

    It is their mean, or nearer to the first where the second has less than a quarter of it. See docs/definitions.md.
    """
    whole, strands = energies[name, PROJECTED].signal, energies[name, PROJECTED_STRANDS].signal
    weight = max(0.5, 1 - 2 * strands / whole) if whole else 0.5
    return weight * whole + (1 - weight) * strands


def _removed_share(projected: ErrorEnergy) -> float:
    """Of what a layer makes alone, what goes away if it becomes fp32 among int8 ones."""
    return projected.noise / projected.signal if projected.signal else 0.0


def _propagated(model: Model, energies: Energies) -> NoiseBudget:
    groups = _fusion_groups(model, energies)
    deciding = {layer.name for layer in model.layers if layer.decides}
    outputs = _outputs(model, {value: group.node.name for group in groups for value in group.values})
    everything = output_noise([group.node for group in groups], outputs)
    removable = output_noise([replace(group.node, local=group.removable) for group in groups], outputs)
    layers = {name: noise for name, noise in removable.items() if name in deciding}
    alone = {name: noise for name, noise in everything.items() if name in deciding}
    return NoiseBudget(layers, max(0.0, sum(everything.values()) - sum(layers.values())), alone)


@dataclass(frozen=True)
class _Group:
    """A fusion group: its node, called after the layer that decides on it, and the values that it makes.

    `removable` is the part of the node's local noise energy that goes away if the group is fp32.
    """

    node: NoiseNode
    values: tuple[ir.Value, ...]
    removable: float


def _fusion_groups(model: Model, energies: Energies) -> list[_Group]:
    clamps = foldable_clamps(model.units)
    heads = {layer.output: layer for layer in model.layers if layer.output in clamps}
    ends = {clamp.output: value for value, clamp in clamps.items() if value in heads}
    makers = {unit.output: unit for unit in model.units}
    private = private_values(model.units)
    rounding = {
        layer.output: energies[layer.name, ROUNDING].noise
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
        local = energies.get((layer.name, LOCAL), ErrorEnergy()).noise if head.decides else 0.0
        gain = linear_gain(end.noise, local, sum(noise[name] for name in inputs))
        node = NoiseNode(head.name, inputs, end.signal, local, gain)
        shared = [value for value in head.inputs if value not in private]
        kept = rounding.get(layer.output, 0.0) + gain * sum(rounding.get(value, 0.0) for value in shared)
        groups.append(_Group(node, tuple(unit.output for unit in layer.units), max(0.0, local - kept)))
        noise[head.name] = end.noise
        made_by.update(dict.fromkeys(groups[-1].values, head.name))
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


def _outputs(model: Model, made_by: Mapping[ir.Value, str]) -> list[str]:
    """The last nodes that decide, before the results of the network.

    What follows them in fp32 (a softmax, say) turns their noise into something else, and hides it where it saturates.
    """
    makers = {unit.output: unit for unit in model.units}
    deciding = {layer.name for layer in model.layers if layer.decides}
    *_, terminator = entry_block(model.function)
    pending, seen, found = list(terminator.operands), set[ir.Value](), dict[str, None]()
    while pending:
        value = pending.pop()
        if value in seen:
            continue
        seen.add(value)
        if made_by.get(value) in deciding:
            found[made_by[value]] = None
        elif value in makers:
            pending += makers[value].inputs
    return list(found)
