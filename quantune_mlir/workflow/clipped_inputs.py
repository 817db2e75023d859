"""Inputs beyond those that calibration saw: int8 clips them, whatever the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from quantune_mlir.backend.program import Array
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.schemes import extent

Extremes = Mapping[str, tuple[float, float]]
"""By the name of an input, the smallest and the largest element of all samples."""

_TOLERATED: Final = 1.25
"""So many times as far from 0 as those that were calibrated with samples may reach without a word."""


def widened(extremes: Extremes, names: Iterable[str], run: Iterable[Array]) -> dict[str, tuple[float, float]]:
    """The extremes with those of one run more; inputs that are no floating-point numbers are left out."""
    found = dict(extremes)
    for name, array in zip(names, run, strict=True):
        if array.size and np.issubdtype(array.dtype, np.floating):
            low, high = found.get(name, (np.inf, -np.inf))
            found[name] = min(low, float(array.min())), max(high, float(array.max()))
    return found


def clipping_warnings(profile: Profile, extremes: Extremes) -> list[str]:
    """What to tell of inputs that reach further than those that a model was calibrated with."""
    told: list[str] = []
    for name, (low, high) in extremes.items():
        known = profile.get(f"%{name}")
        if known is None or not known.count:
            continue
        calibrated, found = extent(known.minimum, known.maximum), extent(low, high)
        if found[0] < _TOLERATED * calibrated[0] or found[1] > _TOLERATED * calibrated[1]:
            told.append(
                f"samples of {name!r} go from {low:.4g} to {high:.4g}, those quantized with from {known.minimum:.4g} "
                f"to {known.maximum:.4g}: int8 clips what lies beyond\n"
                "remedy: quantize with samples like these, a hundred of them"
            )
    return told
