"""How much of each layer's own noise reaches the network's output, where run 2 could not project it there.

Let N be the noise energy at a layer's output with every layer int8, L that with this layer alone int8, and N_in the
sum of N over its inputs. Noise that comes in and noise that is added are uncorrelated, so energies add:

    N = G * N_in + L        which gives the layer's gain        G = max(0, N - L) / N_in

The gain from a layer to the output is the sum over its readers of G times their own gain to the output; it is found for
all layers in one backward sweep. A layer's share of the output's noise-to-signal power is then

    L * gain / S            with S the signal energy at the output.

The shares of all layers add up to the noise that was measured at the output. Where that noise is of the size of the
signal, it is saturated: any layer's share would be larger if the others were fp32. There a share is taken to be at
least the layer's own local noise-to-signal power, as if it reached the output undiminished.

The formulas are ours: the paper names local metrics only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SATURATED: Final = 0.1
"""Noise-to-signal power at the output (-10 dB) from which on shares no longer add up."""


@dataclass(frozen=True)
class NoiseNode:
    """One layer, or the layers of one fusion group, as noise sees it.

    Attributes:
        name: of the layer that decides on the group.
        inputs: names of the nodes that it reads; graph inputs are left out.
        signal: S, energy of the fp32 output.
        local: L, noise energy at the output with this node alone int8; 0 if it adds none of its own.
        gain: G, noise energy at the output for each unit of noise energy at the inputs.
    """

    name: str
    inputs: tuple[str, ...]
    signal: float
    local: float
    gain: float


def linear_gain(accumulated: float, local: float, incoming: float) -> float:
    """G from the noise energies N, L and N_in; 0 if no noise comes in."""
    return max(0.0, accumulated - local) / incoming if incoming > 0 else 0.0


def output_gains(nodes: Sequence[NoiseNode], output: str) -> dict[str, float]:
    """The noise-to-signal power at an output for each unit of noise energy, by the nodes that the output depends on.

    Args:
        nodes: in topological order.
        output: the node whose result leaves the network.
    """
    gains: dict[str, float] = {}
    for node in reversed(nodes):
        if node.name == output:
            gains[output] = gains.get(output, 0.0) + (1.0 / node.signal if node.signal > 0 else 0.0)
        if node.name in gains:
            for name in node.inputs:
                gains[name] = gains.get(name, 0.0) + gains[node.name] * node.gain
    return gains


def noise_to_signal(node: NoiseNode, energy: float, gains: Mapping[str, float], *, saturated: bool) -> float:
    """The share of the noise-to-signal power at an output of an energy that a node adds.

    Args:
        node: where it is added.
        energy: how much.
        gains: to the output.
        saturated: whether noise there is as large as the signal, so that shares do not add up.
    """
    if node.name not in gains:
        return 0.0
    share = energy * gains[node.name]
    return max(share, energy / node.signal) if saturated and node.signal > 0 else share
