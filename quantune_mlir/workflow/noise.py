"""From the measured energies of a model's layers to the noise that each would bring to the network's output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quantune_mlir.ir.fusion import foldable_clamps
from quantune_mlir.ir.layers import Layer
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.quantune_dialect import ACCUMULATED, LOCAL, Noise
from quantune_mlir.ir.units import Unit, entry_block
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.planning.propagation import NoiseNode, linear_gain, output_noise
from quantune_mlir.workflow.model import Model

Energies = Mapping[tuple[str, Noise], ErrorEnergy]


def group_end(layer: Layer, clamps: Mapping[ir.Value, Unit]) -> str:
    """The name of the clamp that folds into a layer's epilogue, or of the layer itself."""
    clamp = clamps.get(layer.output)
    return layer.name if clamp is None or clamp.layer is None else clamp.layer


def noise_at_output(model: Model, energies: Energies) -> dict[str, float]:
    """Each deciding layer's predicted share of the noise-to-signal power at the network's output."""
    nodes, node_at = _nodes(model, energies)
    deciding = {layer.name for layer in model.layers if layer.decides}
    shares = output_noise(nodes, _outputs(model, node_at))
    return {name: share for name, share in shares.items() if name in deciding}


def _nodes(model: Model, energies: Energies) -> tuple[list[NoiseNode], dict[ir.Value, str]]:
    """One node for each fusion group, called after the layer that decides on it; and the node that made each value."""
    clamps = foldable_clamps(model.units)
    ends = {clamp.output: value for value, clamp in clamps.items()}
    heads = {layer.output: layer for layer in model.layers if layer.output in clamps}
    node_at: dict[ir.Value, str] = {}
    noise: dict[str, float] = {}
    nodes: list[NoiseNode] = []
    for layer in model.layers:
        if layer.output in clamps or (layer.name, ACCUMULATED) not in energies:
            continue
        head = heads[ends[layer.output]] if layer.output in ends else layer
        inputs = tuple(dict.fromkeys(_origins(head.inputs, node_at, model)))
        end = energies[layer.name, ACCUMULATED]
        local = energies.get((layer.name, LOCAL), ErrorEnergy()).noise if head.decides else 0.0
        gain = linear_gain(end.noise, local, sum(noise[name] for name in inputs))
        nodes.append(NoiseNode(head.name, inputs, end.signal, local, gain))
        noise[head.name] = end.noise
        for unit in layer.units:
            node_at[unit.output] = head.name
    return nodes, node_at


def _origins(values: Sequence[ir.Value], node_at: Mapping[ir.Value, str], model: Model) -> list[str]:
    """The nodes that values come from, through ops that belong to no node."""
    makers = {unit.output: unit for unit in model.units}
    found: list[str] = []
    for value in values:
        while value not in node_at and value in makers and makers[value].inputs:
            value = makers[value].inputs[0]
        if value in node_at:
            found.append(node_at[value])
    return found


def _outputs(model: Model, node_at: Mapping[ir.Value, str]) -> list[str]:
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
        if node_at.get(value) in deciding:
            found[node_at[value]] = None
        elif value in makers:
            pending += makers[value].inputs
    return list(found)

