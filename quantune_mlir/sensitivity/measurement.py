"""What run 2 sums up: how much noise each layer adds and has, and what of it reaches the parts of the output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from quantune_mlir.mlir.dialects.quantune import ACCUMULATED, RESIDUAL, Noise, group_rows
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
        """What was measured with every layer int8 at a closing layer, at the worst group of its channels.

        Where something of its result tells nothing, that is left out.
        """
        return self.energies[self._judged_row(name)]

    def signal_share(self, name: str) -> float:
        """The part of a closing layer's energy that noise is compared with; 1 unless something tells nothing."""
        whole, left = self.energies[name, ACCUMULATED].signal, self.energies.get((name, RESIDUAL))
        return left.signal / whole if left is not None and 0 < left.signal < whole else 1.0

    def beyond_probed(self, outputs: Sequence[str]) -> Powers:
        """How many times the noise of the runs that look at each of the closing layers all runs have, all int8."""
        rows = list(map(self._judged_row, outputs))
        whole = np.array([self.energies[row].noise for row in rows])
        pairs = zip(rows, self.projections, strict=True)
        probed = np.array([runs[row].noise if row in runs else 0.0 for row, runs in pairs])
        known = np.isfinite(whole) & np.isfinite(probed) & (whole > 0) & (probed > 0)
        return np.divide(whole, probed, out=np.ones_like(whole), where=known)

    def _judged_row(self, name: str) -> tuple[str, Noise]:
        if self.signal_share(name) < 1:
            return name, RESIDUAL
        groups = list(takewhile(self.energies.__contains__, group_rows(name)))
        return max(groups or [(name, ACCUMULATED)], key=lambda row: noise_power(self.energies[row]))


def noise_power(energy: ErrorEnergy) -> float:
    """The noise beside the signal, at most what counts as the worst."""
    return min(energy.normalized_mse or 0.0, WORST)
