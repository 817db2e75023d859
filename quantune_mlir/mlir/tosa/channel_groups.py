"""Grouped convolutions: TOSA knows none, so they are convolutions whose weights are 0 between groups of channels."""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray


def spread_groups(weights: NDArray[np.generic], groups: int) -> NDArray[np.generic]:
    """Weights of all channels, [K, KH, KW, C], from those of a grouped convolution, [K, KH, KW, C / groups]."""
    outputs, height, width, channels = weights.shape
    spread = np.zeros((groups, outputs // groups, height, width, groups, channels), weights.dtype)
    for group, part in enumerate(np.split(weights, groups)):
        spread[group, ..., group, :] = part
    return spread.reshape(outputs, height, width, groups * channels)


def groups_of(weights: NDArray[np.generic]) -> int:
    """The most groups of channels that weights [K, KH, KW, C] do not join."""
    outputs, _, _, channels = weights.shape
    most = gcd(outputs, channels)
    if most == 1 or weights[0, ..., -1].any() or weights[-1, ..., 0].any():
        return 1
    joined = weights.any(axis=(1, 2))
    for groups in range(most, 1, -1):
        if most % groups == 0:
            blocks = joined.reshape(groups, outputs // groups, groups, channels // groups).any(axis=(1, 3))
            if not (blocks & ~np.eye(groups, dtype=bool)).any():
                return groups
    return 1
