"""Whether samples look unlike what the model was trained on: pictures from 0 to 255 where about -2 to 2 was meant.

The first layer tells: trained, its weighted sums and its bias (batch norm folded in) are of a size. Over eleven
networks, the deviation of its output was 0.2 to 5 times the root mean square of its bias with the right samples, and
above 50 times with pictures that were not scaled. One network without batch norm, with means subtracted and nothing
divided, came to 600; it takes values below zero, which unscaled pictures have not.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.graph.units import Kind
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.model import Model
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile

_RATIO: Final = 30.0
_LOWEST: Final = 64.0
_HIGHEST: Final = 255.0
_PICTURE: Final = 4
_CONVOLUTION: Final = 3


def range_warning(model: Model, profile: Profile) -> str | None:
    """What to tell of samples that look like pictures that nobody scaled; None if they do not."""
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != _PICTURE:
        return None
    name = f"%{model.inputs[0].name}"
    layer = next((layer for layer in model.layers if layer.macs), None)
    first = next((tensor for tensor in profile if tensor != name), None)
    if layer is None or first is None or name not in profile:
        return None
    operands = list(next(unit for unit in layer.units if unit.kind is Kind.DOT).op.operands)
    bias = constant_value(operands[2]) if len(operands) >= _CONVOLUTION else None
    if bias is None or not looks_unscaled(profile[name], profile[first], bias):
        return None
    return (
        f"the samples of {name[1:]!r} go from {profile[name].minimum:g} to {profile[name].maximum:g}, and drown the "
        f"bias of the first layer, {layer.name}: they look like pictures that were not scaled as in training\n"
        "remedy: prepare them as in training (--preprocess for a folder of pictures); if they are, never mind"
    )


def looks_unscaled(inputs: Histogram, outputs: Histogram, bias: NDArray[np.generic]) -> bool:
    """Whether values from 0 to 255 make a first layer's outputs far larger than its bias."""
    if inputs.minimum < 0 or not _LOWEST < inputs.maximum <= _HIGHEST:
        return False
    squares = float((outputs.counts * outputs.centers**2).sum()) / max(outputs.count, 1)
    size = float(np.sqrt(np.mean(np.square(bias.astype(np.float64)))))
    return bool(size > 0 and np.sqrt(squares) > _RATIO * size)
