"""What run 2 sums up: how much noise each layer adds and has, and what of it reaches the parts of the output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from quantune_mlir.mlir.dialects.quantune import ACCUMULATED, Noise, group_rows
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.planning.noise_model import WORST, Powers

Energies = Mapping[tuple[str, Noise], ErrorEnergy]


@dataclass(frozen=True)
class Measurement:
    """What one run over the samples sums up.

    Attributes:
        energies: of each measured tensor.
        projections: the energies of the runs that look at each part of the output, with what layers bring to it, each
            for as many runs as there are in all; empty where that could not be projected.
    """

    energies: Energies
    projections: tuple[Energies, ...] = ()

    def at_output(self, name: str) -> ErrorEnergy:
        """What was measured with every layer int8 at a closing layer, at the worst group of its channels."""
        return self.energies[self._worst_row(name)]

    def beyond_probed(self, outputs: Sequence[str]) -> Powers:
        """How many times the noise of the runs that look at each of the closing layers all runs have, all int8."""
        rows = list(map(self._worst_row, outputs))
        whole = np.array([self.energies[row].noise for row in rows])
        pairs = zip(rows, self.projections, strict=True)
        probed = np.array([runs[row].noise if row in runs else 0.0 for row, runs in pairs])
        known = np.isfinite(whole) & np.isfinite(probed) & (whole > 0) & (probed > 0)
        return np.divide(whole, probed, out=np.ones_like(whole), where=known)

    def _worst_row(self, name: str) -> tuple[str, Noise]:
        groups = list(takewhile(self.energies.__contains__, group_rows(name)))
        return max(groups or [(name, ACCUMULATED)], key=lambda row: noise_power(self.energies[row]))


def noise_power(energy: ErrorEnergy) -> float:
    """The noise beside the signal, at most what counts as the worst."""
    return min(energy.normalized_mse or 0.0, WORST)
