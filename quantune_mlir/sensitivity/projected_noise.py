"""The noise at the output as run 2 projected it there itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantune_mlir.mlir.dialects.quantune import (
    ACCUMULATED,
    PROJECTED,
    PROJECTED_LANES,
    PROJECTED_ROUNDING,
    PROJECTED_ROUNDING_LANES,
    Noise,
)
from quantune_mlir.model import Model
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.planning.noise_model import WORST, Powers
from quantune_mlir.sensitivity.layer_noise import LayerNoise
from quantune_mlir.sensitivity.measurement import Energies, Measurement


def projected_noise(model: Model, measurement: Measurement, outputs: Sequence[str]) -> LayerNoise:
    """The noise that layers bring to the outputs, for each of which there are projections."""
    signals = [measurement.energies[name, ACCUMULATED].signal * measurement.signal_share(name) for name in outputs]
    beyond = measurement.beyond_probed(outputs)

    def at_parts(name: str, whole: Noise, lanes: Noise) -> Powers:
        made = (_made(energies, (name, whole), (name, lanes)) for energies in measurement.projections)
        return beyond * [_ratio(noise, signal) for noise, signal in zip(made, signals, strict=True)]

    alone = {layer.name: at_parts(layer.name, PROJECTED, PROJECTED_LANES) for layer in model.layers if layer.decides}
    own = {
        name: noise * [_removed_share(energies, name) for energies in measurement.projections]
        for name, noise in alone.items()
    }
    kept = {name: noise - own[name] for name, noise in alone.items()}
    rounded = {
        layer.name: at_parts(layer.name, PROJECTED_ROUNDING, PROJECTED_ROUNDING_LANES)
        for layer in model.layers
        if any((layer.name, PROJECTED_ROUNDING) in energies for energies in measurement.projections)
    }
    return LayerNoise(tuple(outputs), own, alone, rounded, kept)


def _made(energies: Energies, whole: tuple[str, Noise], lanes: tuple[str, Noise]) -> float:
    """What was projected, by two estimates: one scatters, the other leaves out what its lanes have in common.

    It is their mean, or nearer to the first where the second has less than a quarter of it. See docs/definitions.md.
    """
    if whole not in energies:
        return 0.0
    one, other = energies[whole].signal, energies[lanes].signal
    weight = max(0.5, 1 - 2 * other / one) if one else 0.5
    return weight * one + (1 - weight) * other


def _removed_share(energies: Energies, name: str) -> float:
    """What goes away of what a layer makes alone if it becomes fp32 among int8 ones."""
    projected = energies.get((name, PROJECTED), ErrorEnergy())
    return min(_ratio(projected.noise, projected.signal), 1.0)


def _ratio(noise: float, signal: float) -> float:
    """Noise over signal; 0 without a signal, and the worst if either is not known."""
    if not (np.isfinite(noise) and np.isfinite(signal)):
        return WORST
    return noise / signal if signal else 0.0
