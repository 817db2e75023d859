"""From the measured energies of a model's layers to the noise that each would bring to the parts of its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from quantune_mlir.mlir.dialects.quantune import ACCUMULATED
from quantune_mlir.model import Model
from quantune_mlir.numerics.metrics import Signal
from quantune_mlir.planning.correction import TRUSTED
from quantune_mlir.planning.noise_model import WORST, NoiseModel, Powers
from quantune_mlir.planning.propagation import SATURATED
from quantune_mlir.sensitivity.float_functions import float_functions
from quantune_mlir.sensitivity.layer_noise import LayerNoise
from quantune_mlir.sensitivity.measurement import Energies, Measurement, noise_power
from quantune_mlir.sensitivity.noise_budget import NoiseBudget
from quantune_mlir.sensitivity.projected_noise import projected_noise
from quantune_mlir.sensitivity.propagated_noise import propagated_noise
from quantune_mlir.sensitivity.rounded_tensors import rounded_tensors

LEAST_HALVED: Final = 0.01
"""20 dB: plans with less noise are hardly ever far from a sum, whatever is measured of int8 throughout."""
_ROUNDING: Final = 1e-6
_CORRECTION: Final = 30.0
"""The most by which the measured noise of int8 throughout may differ from its prediction for that to be scaled."""
_RUIN: Final = 1.0
"""Where as much noise as signal is projected, it tells enough: of more that was measured nothing follows for plans."""
_SCATTER: Final = 2.0
"""By so much what is projected of a layer alone may be off by chance."""


def noise_at_output(model: Model, measurement: Measurement, *, float_epilogues: bool = True) -> NoiseBudget:
    """The noise budget of a model from the measured energies of its layers.

    It was projected to the output by the run itself, or else follows from how energies grow from layer to layer. With
    every layer int8 it is what was measured: where that is as large as the signal, and less than what adds up, noise is
    taken to add up no longer from somewhere below on.

    With `float_epilogues`, piecewise linear functions are computed in fp32 (float_functions.py).
    """
    outputs = _measured_outputs(model, measurement.energies)
    is_projected = bool(outputs) and len(measurement.projections) == len(outputs)
    found = (projected_noise if is_projected else propagated_noise)(model, measurement, outputs)
    budget = _budget(found, model, float_functions(model) if float_epilogues else {})
    if budget.own:
        budget = _explained(budget, model, measurement)
        measured, ratio = _beside_measured(budget, measurement)
        scaled = (measured > 0) & (measured < WORST) & ((measured < SATURATED) | (ratio > 1) & (budget.total < _RUIN))
        ratio = _uncancelled(ratio, budget)
        budget = budget.times(np.where(scaled, np.clip(ratio, 1 / _CORRECTION, _CORRECTION), 1.0))
        budget = replace(budget, halved_at=_halved_at(budget.total, measured))
    signal, share = _signal(model, measurement, outputs)
    return replace(budget, signal=signal, signal_share=share)


def _budget(found: LayerNoise, model: Model, functions: Mapping[str, str | None]) -> NoiseBudget:
    """What layers bring; those that int8 leaves as they are bring nothing."""
    own, alone = (
        {name: np.zeros_like(noise) if name in functions else noise for name, noise in each.items()}
        for each in (found.own, found.alone)
    )
    return NoiseBudget(found.parts, own, rounded_tensors(model, found.rounded, found.kept, functions), alone)


def _signal(model: Model, measurement: Measurement, outputs: Sequence[str]) -> tuple[Signal, float]:
    """What noise at all outputs is compared with, and its share of their energy."""
    baselines = {model.network.layer_making[value].name: found for value, found in model.network.baselines.items()}
    shares = {name: measurement.signal_share(name) for name in outputs}
    signals: set[Signal] = {baselines[name].signal if share < 1 else "output" for name, share in shares.items()}
    energies = {name: measurement.energies[name, ACCUMULATED].signal for name in outputs}
    whole = sum(energies.values())
    counted = sum(shares[name] * energy for name, energy in energies.items())
    return (signals.pop() if len(signals) == 1 else "output"), counted / whole if 0 < counted < whole else 1.0


def _uncancelled(ratio: Powers, budget: NoiseBudget) -> Powers:
    """The ratio of measured to predicted noise; where it leaves far less than the worst layer brings alone, as much.

    Errors of several layers may cancel on the samples that were run, which says nothing of other plans.
    """
    total, worst = budget.total, np.max(list(budget.alone.values()), axis=0)
    alone = np.minimum(np.divide(worst, total, out=np.zeros_like(total), where=total > 0), 1.0)
    return np.where(ratio < alone / _SCATTER, alone, ratio)


def _explained(budget: NoiseBudget, model: Model, measurement: Measurement) -> NoiseBudget:
    """The budget, where far more noise was measured than it has, with what has grown of each layer's error at least.

    First-order projection does not see what a logarithm makes of large errors, and the layers before it are to blame,
    not all alike.
    """
    measured, ratio = _beside_measured(budget, measurement)
    wrong = (measured < WORST) & (ratio > TRUSTED) & (budget.total < _RUIN)
    grown = grown_noise(model, measurement) if wrong.any() else {}
    own = {
        name: np.where(wrong, np.maximum(noise, grown[name]), noise)
        if name in grown and len(grown[name]) == len(noise)
        else noise
        for name, noise in budget.own.items()
    }
    return replace(budget, own=own)


def _halved_at(added_up: Powers, measured: Powers) -> tuple[float | None, ...]:
    """At each part, of what sum of noise half comes out, if of all of it there comes what was measured."""
    found = (
        max(whole / (whole / noise - 1) ** 2, LEAST_HALVED) if SATURATED <= noise < (1 - _ROUNDING) * whole else None
        for whole, noise in zip(added_up.tolist(), measured.tolist(), strict=True)
    )
    return tuple(found)


def grown_noise(model: Model, measurement: Measurement) -> dict[str, Powers]:
    """What each layer brings, as energies grow from layer to layer: together what was measured at the output."""
    outputs = _measured_outputs(model, measurement.energies)
    budget = _budget(propagated_noise(model, measurement, outputs, saturates=False), model, {})
    if not budget.own:
        return {}
    _, ratio = _beside_measured(budget, measurement)
    noise = NoiseModel(budget.parts, budget.own, budget.rounded)
    return {name: noise.brought_by(name) * ratio for name in budget.own}


def _measured_outputs(model: Model, energies: Energies) -> list[str]:
    """The layers that make the parts of the output that noise is predicted at."""
    made_by = {layer.output: layer.name for layer in model.layers}
    names = (made_by[value] for value in model.network.closing_values)
    return [name for name in names if (name, ACCUMULATED) in energies]


def _beside_measured(budget: NoiseBudget, measurement: Measurement) -> tuple[Powers, Powers]:
    """The noise that was measured at each part, and how many times as much it is as the budget's total."""
    measured = np.array([noise_power(measurement.at_output(name)) for name in budget.parts])
    return measured, np.divide(measured, budget.total, out=np.ones_like(measured), where=budget.total > 0)
