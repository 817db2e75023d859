"""Which pixels a tosa.resize reads, axis by axis. Source: TOSA specification, RESIZE.

Result number o lies at (o * denominator + offset) / numerator, between two pixels: each counts by how near it is, or
the nearer one alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.edit import shape_of


@dataclass(frozen=True)
class ResizedAxis:
    """What each result along an axis takes of two pixels, the same one twice at a border."""

    pixels: NDArray[np.int64]
    """[results, 2]"""
    share: NDArray[np.int64]
    """[results]: that of the second pixel, in parts of which there are `parts`."""
    parts: int

    @property
    def shares(self) -> NDArray[np.int64]:
        """[results, 2]: those of both pixels."""
        return np.stack([self.parts - self.share, self.share], axis=1)


def is_nearest(resize: ir.Operation) -> bool:
    """Whether it takes one pixel each, and interpolates nothing."""
    return "NEAREST" in str(resize.attributes["mode"])


def parts_of(resize: ir.Operation) -> int:
    """What the shares of all pixels that a bilinear one reads for a result add up to, in integers."""
    scale = constant_value(resize.operands[1])
    assert scale is not None
    return int(scale[0]) * int(scale[2])


def resized_axes(resize: ir.Operation) -> tuple[ResizedAxis, ResizedAxis] | None:
    """Rows and columns; None if scale or offset are not known."""
    scale, offset = (constant_value(operand) for operand in (resize.operands[1], resize.operands[2]))
    if scale is None or offset is None:
        return None
    results, pixels = shape_of(resize.results[0]), shape_of(resize.operands[0])
    rows, columns = (
        _axis(results[1 + i], pixels[1 + i], scale[2 * i], scale[2 * i + 1], offset[i], nearest=is_nearest(resize))
        for i in (0, 1)
    )
    return rows, columns


def _axis(results: int, pixels: int, numerator: int, denominator: int, offset: int, *, nearest: bool) -> ResizedAxis:
    numerator = int(numerator)
    whole, rest = np.divmod(np.arange(results, dtype=np.int64) * int(denominator) + int(offset), numerator)
    if nearest:
        chosen = whole + (2 * rest >= numerator)
        return ResizedAxis(_inside(chosen, chosen, pixels), np.zeros(results, np.int64), 1)
    return ResizedAxis(_inside(whole, whole + 1, pixels), rest, numerator)


def _inside(first: NDArray[np.int64], second: NDArray[np.int64], pixels: int) -> NDArray[np.int64]:
    return np.clip(np.stack([first, second], axis=1), 0, pixels - 1)
