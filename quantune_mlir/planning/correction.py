"""A noise model after a plan was measured: where more noise came out than was foreseen, somebody is to blame.

First-order projection does not see what functions make of large errors: a logarithm of what was almost nothing. How
energies grow from layer to layer does see it, though crudely (propagation.py), if it is measured with the plan itself.
So at each part of the output where a plan has more than TRUSTED times the noise that was predicted, a layer brings no
less than what has grown of its own error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from quantune_mlir.numerics.formats import NumberFormat
from quantune_mlir.planning.noise_model import NoiseModel, Powers

TRUSTED: Final = 2.0
"""3 dB: by so much a prediction may be off."""


def corrected(
    model: NoiseModel, formats: Mapping[str, NumberFormat], grown: Mapping[str, Powers], measured: Powers
) -> NoiseModel:
    """The noise model that does not contradict a measurement.

    Args:
        model: what predicted.
        formats: of the layers that compute in integers under the measured plan.
        grown: by layer the noise at each part, as energies grew under that plan.
        measured: its noise-to-signal power at each part; NaN where it is not known.
    """
    wrong = np.nan_to_num(measured) > TRUSTED * model.noise(formats)
    raised = {
        name: np.where(wrong, np.maximum(model.layers[name], noise), model.layers[name])
        for name, noise in grown.items()
        if name in model.layers and len(noise) == len(model.parts)
    }
    return replace(model, layers={**model.layers, **raised})
