"""How tosa.resize reads one axis. Source: TOSA specification, RESIZE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LARGEST_SCALE: Final = 1 << 11


@dataclass(frozen=True)
class TosaScale:
    """One axis of tosa.resize: output o reads at (o * denominator + offset) / numerator."""

    numerator: int
    denominator: int
    offset: int
    border: int

    def legal(self) -> bool:
        """Whether the values lie within what the specification allows."""
        n = self.numerator
        return (
            0 < n <= _LARGEST_SCALE
            and 0 < self.denominator < 16 * n
            and -n <= self.offset < 16 * n
            and -16 * n <= self.border < n
        )
