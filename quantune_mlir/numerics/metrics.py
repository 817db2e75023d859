"""Quantization error: energies, SQNR, MSE, and the SQNR a layer itself costs.

Throughout, an SQNR is in dB, +inf when the error is zero, and None (never NaN) when the signal is zero. Energies that
overflowed, or that a NaN got into, tell nothing: they count as the worst, an SQNR of -inf and an error of +inf.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantune_mlir.numerics.formats import IntegerRange
from quantune_mlir.numerics.known_weights import integers_of
from quantune_mlir.numerics.parameters import dequantized_blocks, weight_params
from quantune_mlir.numerics.schemes import Scheme

Signal = Literal["output", "output - input", "output - mean"]
"""What counts at a network's output: all of it, its difference from the input, or scores beside their mean."""


@dataclass(frozen=True)
class ErrorEnergy:
    """Sums over elements, in double precision: of x^2, of (x - x_hat)^2, and of 1. Sums of two sets add."""

    signal: float = 0.0
    noise: float = 0.0
    count: float = 0.0

    @staticmethod
    def of(reference: ArrayLike, approximation: ArrayLike) -> ErrorEnergy:
        """Energies of two arrays of one shape: the fp32 values and their int8 counterparts, dequantized."""
        x = np.asarray(reference, np.float64)
        error = x - np.asarray(approximation, np.float64)
        return ErrorEnergy(float(np.sum(x * x)), float(np.sum(error * error)), float(x.size))

    def __add__(self, other: ErrorEnergy) -> ErrorEnergy:
        return ErrorEnergy(self.signal + other.signal, self.noise + other.noise, self.count + other.count)

    @property
    def known(self) -> bool:
        """Whether both energies are finite."""
        return math.isfinite(self.signal) and math.isfinite(self.noise)

    @property
    def sqnr_db(self) -> float | None:
        """10 log10(signal / noise)."""
        if not self.known:
            return -math.inf
        if self.signal == 0:
            return None
        if self.noise == 0:
            return math.inf
        return 10 * (math.log10(self.signal) - math.log10(self.noise))

    @property
    def mse(self) -> float | None:
        """Mean squared error; None without elements."""
        if not self.known:
            return math.inf
        return self.noise / self.count if self.count else None

    @property
    def normalized_mse(self) -> float | None:
        """noise / signal; None when the signal is zero."""
        if not self.known:
            return math.inf
        return self.noise / self.signal if self.signal else None


def decibels(noise: float) -> float:
    """The SQNR of a noise-to-signal power; +inf without noise."""
    return -10 * math.log10(noise) if noise > 0 else math.inf


def weight_energy(
    weights: NDArray[np.float32], scheme: Scheme, channel_axis: int | None, codes: IntegerRange
) -> ErrorEnergy:
    """Error of weights in `codes`, with a scale for each channel, or for the tensor if `channel_axis` is None."""
    scales = weight_params(weights, channel_axis, scheme, codes)
    quantized = integers_of(weights, scales, channel_axis, codes)
    total = ErrorEnergy()
    for part, rounded in dequantized_blocks(quantized, scales, channel_axis):
        total += ErrorEnergy.of(weights[part], rounded)
    return total


def sqnr_delta(input_sqnrs: Iterable[float | None], output_sqnr: float | None) -> float | None:
    """min over the inputs of their SQNR, minus the output's: the noise that a layer itself adds, in dB.

    Inputs without signal bring no noise and do not count; no inputs count as exact. Exact to exact is 0, exact to
    noisy +inf, noisy to exact -inf. None if the output has no signal.
    """
    if output_sqnr is None:
        return None
    worst = min((sqnr for sqnr in input_sqnrs if sqnr is not None), default=math.inf)
    return 0.0 if worst == output_sqnr else worst - output_sqnr
