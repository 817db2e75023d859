"""A noise model after a plan was measured: where more noise came out than was foreseen, somebody is to blame.

First-order projection does not see what functions make of large errors: a logarithm of what was almost nothing. How
energies grow from layer to layer does see it, though crudely (propagation.py), if it is measured with the plan itself.
So at each part of the output where a plan has more than TRUSTED times the noise that was predicted, a layer brings no
less than what has grown of its own error. Where less is predicted then still, all noise at that part is taken for so
much larger, who ever makes it, but for no more than MOST times; for more only where no other plan comes of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.formats import NumberFormat
from quantune_mlir.planning.noise_model import NoiseModel, Powers

TRUSTED: Final = 2.0
"""3 dB: by so much a prediction may be off."""
MOST: Final = 30.0
"""More is no noise that came through: an argmax makes all or nothing of it, a cast to integers rounds it."""

BLAMED: Final = 4.0
"""6 dB: less than that is as likely everybody's as somebody's."""

MOST_HOPED: Final = 1e4
"""By no more than 40 dB is noise taken for smaller: an argmax that is right tells of no other plan."""


def corrected(
    model: NoiseModel,
    formats: Mapping[str, NumberFormat],
    grown: Mapping[str, Powers],
    measured: Powers,
    most: float = MOST,
) -> NoiseModel:
    """The noise model that does not contradict a measurement.

    Args:
        model: what predicted.
        formats: of the layers that compute in integers under the measured plan.
        grown: by layer the noise at each part, as energies grew under that plan; nothing if that was not measured.
        measured: its noise-to-signal power at each part; NaN where it is not known.
        most: by so many times more the noise of all may be taken for.
    """
    known = np.nan_to_num(measured)
    wrong = doubtful(model, formats, measured)
    raised = {
        name: np.where(wrong, np.maximum(model.layers[name], noise), model.layers[name])
        for name, noise in grown.items()
        if name in model.layers and len(noise) == len(model.parts)
    }
    raised_model = replace(model, layers={**model.layers, **raised})
    predicted = raised_model.noise(formats)
    factors = np.divide(known, predicted, out=np.ones_like(known), where=predicted > 0)
    return raised_model.scaled_to(formats, np.where(factors <= most, np.maximum(factors, 1.0), 1.0))


def brightened(
    model: NoiseModel,
    formats: Mapping[str, NumberFormat],
    measured: Powers,
    trusted: float = TRUSTED,
    most: float = MOST_HOPED,
) -> NoiseModel:
    """The noise model with less at each part where a plan was measured to have far less than its prediction.

    Args:
        model: what predicted.
        formats: of the layers that compute in integers under the measured plan.
        measured: its noise-to-signal power at each part; NaN where it is not known.
        trusted: so many times as much noise as was measured may be predicted.
        most: so many times less may noise be taken for.
    """
    predicted = model.noise(formats)
    ratio = np.divide(measured, predicted, out=np.ones_like(predicted), where=predicted > 0)
    return model.scaled_to(formats, np.where(ratio < 1 / trusted, np.maximum(ratio, 1 / most), 1.0))


def doubtful(
    model: NoiseModel, formats: Mapping[str, NumberFormat], measured: Powers, trusted: float = TRUSTED
) -> NDArray[np.bool_]:
    """bool[parts]: where a plan was measured to have more than `trusted` times the noise that was predicted."""
    return np.nan_to_num(measured) > trusted * model.noise(formats)
