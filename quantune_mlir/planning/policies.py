"""Policies: from the sensitivity list to the layers that stay fp32, each with its reason in numbers.

The noise model behind the predictions: each int8 layer adds its share of the noise-to-signal power at the network's
output (see propagation.py), independently of the others, and so does the rounding of tensors between layers, which no
layer takes away alone:

    predicted output SQNR = -10 log10( rounding + sum over int8 layers of their shares ).

Every policy is O(n log n) in the number of layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from quantune_mlir.errors import PlanError
from quantune_mlir.planning.plan import Precision
from quantune_mlir.planning.sensitivity import LayerSensitivity

FLOOR_DB: Final = 20.0
"""Predicted output SQNR that the default policy reaches at any cost: below it, int8 changes what a network decides."""

SATURATED_DB: Final = 10.0
"""Output SQNR of int8 throughout below which noise saturates, so that predictions are optimistic."""

SATURATED_FLOOR_DB: Final = 20.0
"""The floor of such networks, which is also where the default policy leaves them."""

ROUNDING_MARGIN_DB: Final = 1.0
"""No floor is nearer than this to the output SQNR that the rounding of tensors alone leaves: each further dB would cost
more layers than the last."""

GOAL_DB: Final = 32.0
"""Predicted output SQNR at which the default policy is content: above it, int8 and fp32 decide alike."""

WORTHWHILE_DB: Final = 0.1
"""Between floor and goal, fp32 has to buy so many dB for each percent of the network's MACs."""

BOUNDARY_SHARE: Final = 0.01
"""What a layer in fp32 costs beside its MACs (boundaries, bytes), as a share of the network's MACs."""


class Decision(NamedTuple):
    """One layer's precision, and why."""

    precision: Precision
    reason: str


Decisions = dict[str, Decision]
Policy = Callable[[Sequence[LayerSensitivity], float], Decisions]
"""Decides on the layers that are free to be either, the most sensitive first, given the noise of rounding."""


def all_int8(layers: Sequence[LayerSensitivity], rounding: float) -> Decisions:
    """Every layer in int8."""
    return {layer.name: Decision(Precision.INT8, "the policy is int8 throughout") for layer in layers}


def all_fp32(layers: Sequence[LayerSensitivity], rounding: float) -> Decisions:
    """Every layer in fp32."""
    return {layer.name: Decision(Precision.FP32, "the policy is fp32 throughout") for layer in layers}


def fp32_layers(count: int) -> Policy:
    """The `count` most sensitive layers in fp32."""

    def decide(layers: Sequence[LayerSensitivity], rounding: float) -> Decisions:
        if not 0 <= count <= len(layers):
            raise PlanError(f"{count} layers are to stay fp32, but only {len(layers)} could be either")
        return _explained(layers, layers[:count], rounding)

    return decide


def min_sqnr(target_db: float) -> Policy:
    """The most sensitive layers in fp32, as few as reach a predicted output SQNR of `target_db`.

    Layers that add no noise are passed over. If what rounding adds is too much already, every layer stays fp32.
    """

    def decide(layers: Sequence[LayerSensitivity], rounding: float) -> Decisions:
        noisy = [layer for layer in layers if layer.noise > 0]
        allowed = _noise(target_db)
        needed = next((i for i, left in enumerate(_noise_left(noisy, rounding)) if left <= allowed), None)
        return _explained(layers, layers if needed is None else noisy[:needed], rounding)

    return decide


def default(layers: Sequence[LayerSensitivity], rounding: float) -> Decisions:
    """fp32 where it buys most per MAC: up to the floor at any cost, up to the goal where it is worthwhile."""
    total = sum(layer.macs for layer in layers) or 1

    def cost(layer: LayerSensitivity) -> float:
        return layer.macs / total + BOUNDARY_SHARE

    noisy = [layer for layer in layers if layer.noise > 0]
    noisy.sort(key=lambda layer: (-layer.noise / cost(layer), layer.index))
    left = _noise_left(noisy, rounding)
    saturated = _db(left[0]) < SATURATED_DB
    floor = min(SATURATED_FLOOR_DB if saturated else FLOOR_DB, _db(rounding) - ROUNDING_MARGIN_DB)
    needed = 0
    for layer, before, after in zip(noisy, left[:-1], left[1:], strict=True):
        worthwhile = _db(after) - _db(before) >= WORTHWHILE_DB * 100 * cost(layer)
        if _db(before) >= GOAL_DB or (_db(before) >= floor and (saturated or not worthwhile)):
            break
        needed += 1
    return _explained(layers, noisy[:needed], rounding)


def predicted_sqnr_db(int8_layers: Sequence[LayerSensitivity], rounding: float) -> float:
    """Predicted SQNR at the network's output with these layers in int8; +inf without noise."""
    return _db(rounding + math.fsum(layer.noise for layer in int8_layers))


def _explained(layers: Sequence[LayerSensitivity], fp32: Sequence[LayerSensitivity], rounding: float) -> Decisions:
    """Decisions with their reasons: `fp32` in the order taken, the others int8."""
    rank = {layer.name: i for i, layer in enumerate(sorted(layers, key=lambda layer: (-layer.noise, layer.index)), 1)}
    taken = {layer.name for layer in fp32}
    int8 = [layer for layer in layers if layer.name not in taken]
    left = _noise_left(fp32, rounding + math.fsum(layer.noise for layer in int8))
    decisions: Decisions = {}
    for layer in int8:
        share = 100 * layer.noise / left[0] if left[0] else 0.0
        decisions[layer.name] = Decision(
            Precision.INT8, f"{share:.2g} % of the noise that int8 throughout is predicted to have at the output"
        )
    for layer, before, after in zip(fp32, left[:-1], left[1:], strict=True):
        decisions[layer.name] = Decision(
            Precision.FP32,
            f"adds the {_ordinal(rank[layer.name])} most noise to the output; keeping it fp32 raises the predicted "
            f"output SQNR from {_db(before):.1f} to {_db(after):.1f} dB",
        )
    return decisions


def _noise_left(layers: Sequence[LayerSensitivity], rest: float) -> list[float]:
    """float[n + 1]: `rest`, and the noise of the layers from i on."""
    return list(accumulate((layer.noise for layer in reversed(layers)), initial=rest))[::-1]


def _noise(sqnr_db: float) -> float:
    return 10 ** (-sqnr_db / 10)


def _db(noise: float) -> float:
    return -10 * math.log10(noise) if noise > 0 else math.inf


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
