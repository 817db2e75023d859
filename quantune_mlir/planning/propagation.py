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

from collections.abc import Sequence
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


def output_noise(nodes: Sequence[NoiseNode], outputs: Sequence[str]) -> dict[str, float]:
    """Each node's predicted share of the noise-to-signal power at the output.

    Args:
        nodes: in topological order.
        outputs: the nodes whose results leave the network; their shares add.
    """
    to_output = {node.name: 1.0 / node.signal if node.name in outputs and node.signal > 0 else 0.0 for node in nodes}
    for node in reversed(nodes):
        for name in node.inputs:
            to_output[name] += to_output[node.name] * node.gain
    shares = {node.name: node.local * to_output[node.name] for node in nodes}
    if sum(shares.values()) < SATURATED:
        return shares
    return {node.name: max(shares[node.name], node.local / node.signal if node.signal else 0.0) for node in nodes}
