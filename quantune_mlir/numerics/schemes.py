"""How real values map to int8: Glow's four schemes."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Scheme(str, Enum):
    """Where the zero point lies and which scales are allowed, for activations.

    Weights are symmetric in every scheme; only SYMMETRIC_WITH_POWER2_SCALE changes their scales, to powers of two.
    """

    ASYMMETRIC = "asymmetric"
    """Any zero point in [-128, 127]: the 256 levels cover [lo, hi]."""

    SYMMETRIC = "symmetric"
    """Zero point 0."""

    SYMMETRIC_WITH_UINT8 = "symmetric_with_uint8"
    """Zero point -128 (unsigned, shifted into int8) for tensors without negative values, otherwise symmetric."""

    SYMMETRIC_WITH_POWER2_SCALE = "symmetric_with_power2_scale"
    """Zero point 0, and the scale is a power of two."""

    def __str__(self) -> str:
        return self.value


class RangeMethod(str, Enum):
    """How the range of an activation is chosen from its histogram."""

    MINMAX = "minmax"
    PERCENTILE = "percentile"
    ENTROPY = "entropy"
    MSE = "mse"

    def __str__(self) -> str:
        return self.value


DEFAULT_SCHEME: Final = Scheme.ASYMMETRIC
DEFAULT_RANGE: Final = RangeMethod.MSE


def is_symmetric(scheme: Scheme, minimum: float) -> bool:
    """Whether a tensor with this smallest element gets zero point 0."""
    if scheme is Scheme.SYMMETRIC_WITH_UINT8:
        return minimum < 0
    return scheme is not Scheme.ASYMMETRIC


def extent(minimum: float, maximum: float) -> tuple[float, float]:
    """The smallest range that holds both and 0."""
    return min(minimum, 0.0), max(maximum, 0.0)
