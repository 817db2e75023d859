"""The clipping range with the least expected squared quantization error.

The elements of a bucket [a, b] are taken as spread evenly over it. With scale s and t = x / s, the error of rounding to
the integers in [tmin, tmax] has the antiderivative

    G(t) = n / 12 + (t - n)^3 / 3,   n = clip(round(t), tmin, tmax),

continuous over rounding and clipping alike, so that the expected error of a histogram of densities d over [a, b] is
s^3 * sum(d * (G(b / s) - G(a / s))): one evaluation per bucket edge and candidate range. The squared error of what is
clipped counts CLIPPED times: with u = |t - n| > 1/2, (1/8 + CLIPPED * (u^3 - 1/8)) / 3 takes the place of u^3 / 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.parameters import QMAX, QMIN, scales_and_zero_points
from quantune_mlir.numerics.schemes import Scheme, extent, is_symmetric
from quantune_mlir.numerics.tails import Buckets, beyond

CLIPPED: Final = 4.0
"""Errors of rounding average out in the layers that follow. Those of clipping do not: they are all of one direction and
of the same few samples, and other samples may be louder still."""
_FURTHER: Final = 4.0
"""So many times as many runs as were calibrated with are regarded where a tail is heavy."""
_WORTHWHILE: Final = 2.0
"""So many times less error a range beyond the extremes is to have with what further runs bring."""
_BEARABLE: Final = 10**-2.25
"""Of what further runs bring, so much error over energy is borne: 22.5 dB, as clipped values count."""
_COARSE: Final = np.geomspace(1.0, 1 / 32, 20)
_FINE: Final = np.linspace(0.84, 1.16, 17)
_NEGLIGIBLE: Final = 2.0**-13
"""Elements below this share of the largest magnitude round to 0 in all candidate ranges that can win."""
_NARROWEST: Final = 2.0**-26
"""Width, as a share of the largest magnitude, given to buckets that the tensor's extremes narrow down to a point."""


def mse_range(histogram: Histogram, scheme: Scheme) -> tuple[float, float]:
    """(lo, hi) of least expected squared error; never worse than the extremes themselves.

    Beyond the extremes only where a tail is heavy, and what is to be expected there would make most of the error, and
    more than is borne.
    """
    seen = Buckets(histogram.lower, histogram.upper, histogram.counts.astype(np.float64))
    extremes = extent(histogram.minimum, histogram.maximum)
    symmetric = is_symmetric(scheme, histogram.minimum)
    chosen = _least(_ExpectedError.of(seen, extremes, scheme), extremes, symmetric=symmetric)
    unseen = beyond(histogram, _FURTHER)
    if not len(unseen.counts):
        return chosen
    reached = min(extremes[0], unseen.lower.min()), max(extremes[1], unseen.upper.max())
    expected = _ExpectedError.of(seen.merge(unseen), reached, scheme)
    wider = _least(expected, reached, symmetric=symmetric)
    now, then = expected.errors(*np.array([chosen, wider]).T)
    energy = float(seen.counts @ histogram.centers**2)
    return wider if now > max(_WORTHWHILE * then, _BEARABLE * energy) else chosen


def _least(expected: _ExpectedError, extremes: tuple[float, float], *, symmetric: bool) -> tuple[float, float]:
    """The range of least error within the extremes.

    Both ends shrink together first; in an asymmetric scheme each end then moves alone; each step is a coarse geometric
    scan down to 1/32 followed by a fine one.
    """
    lo, hi = extremes
    best = expected.least(lo * _COARSE, hi * _COARSE)
    if symmetric or lo == 0 or hi == 0:
        return expected.least(*_near(best, lo, hi))
    best = expected.least(np.full_like(_COARSE, best[0]), hi * _COARSE, start=best)
    best = expected.least(lo * _COARSE, np.full_like(_COARSE, best[1]), start=best)
    fine_lo, fine_hi = _near(best, lo, hi)
    best = expected.least(np.full_like(_FINE, best[0]), fine_hi, start=best)
    return expected.least(fine_lo, np.full_like(_FINE, best[1]), start=best)


def _near(best: tuple[float, float], lo: float, hi: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.maximum(best[0] * _FINE, lo), np.minimum(best[1] * _FINE, hi)


@dataclass(frozen=True)
class _ExpectedError:
    """A piecewise constant density: `steps` are its jumps at `edges`, signed so that sum(steps * G) is the integral."""

    edges: NDArray[np.float64]
    steps: NDArray[np.float64]
    scheme: Scheme

    @staticmethod
    def of(elements: Buckets, extremes: tuple[float, float], scheme: Scheme) -> _ExpectedError:
        lower, upper, counts = elements.lower, elements.upper, elements.counts
        largest = max(-extremes[0], extremes[1])
        kept = np.maximum(np.abs(lower), np.abs(upper)) >= _NEGLIGIBLE * largest
        lower, upper, counts = lower[kept], upper[kept], counts[kept]
        narrow = upper - lower < _NARROWEST * largest
        lower = np.where(narrow, lower - _NARROWEST / 2 * largest, lower)
        upper = np.where(narrow, upper + _NARROWEST / 2 * largest, upper)
        density = counts / (upper - lower)
        edges, position = np.unique(np.concatenate([lower, upper]), return_inverse=True)
        steps = np.zeros_like(edges)
        np.add.at(steps, position, np.concatenate([-density, density]))
        return _ExpectedError(edges, steps, scheme)

    def least(
        self, lo: NDArray[np.float64], hi: NDArray[np.float64], start: tuple[float, float] | None = None
    ) -> tuple[float, float]:
        """The candidate of least error; the first one, and `start` before all, on a tie."""
        if start is not None:
            lo, hi = np.append(start[0], lo), np.append(start[1], hi)
        best = int(np.argmin(self.errors(lo, hi)))
        return float(lo[best]), float(hi[best])

    def errors(self, lo: NDArray[np.float64], hi: NDArray[np.float64]) -> NDArray[np.float64]:
        """Summed squared error of each candidate range; the elements too small to matter are left out."""
        scale, zero_point = scales_and_zero_points(lo, hi, self.scheme)
        scaled = self.edges / scale[:, None]
        levels = np.rint(scaled)
        np.clip(levels, (QMIN - zero_point)[:, None], (QMAX - zero_point)[:, None], out=levels)
        scaled -= levels
        cubes = scaled * scaled
        cubes *= scaled
        for clipped, side in ((scaled > 0.5, 1), (scaled < -0.5, -1)):
            np.multiply(cubes, CLIPPED, out=cubes, where=clipped)
            np.subtract(cubes, side * (CLIPPED - 1) / 8, out=cubes, where=clipped)
        return scale**3 * ((levels @ self.steps) / 12 + (cubes @ self.steps) / 3)
