"""Canvases with scattered digits, and where they lie: what the sample detector is trained and tested on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tools.detector.detections import overlaps

SIZE: Final = 64
MOST_DIGITS: Final = 6
_SMALLEST, _LARGEST = 10, 24
_INK: Final = 0.2
_LEVELS: Final = 16
_TRIES: Final = 30
_NOBODY: Final = -1.0

Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Canvases:
    """Some canvases.

    Attributes:
        images: [N, 1, 64, 64] in [0, 1], sixteenths.
        labels: [N, 6, 5], a row for each digit: which, then left, top, right and bottom in pixels; -1 where there is
            none.
    """

    images: Images
    labels: Images

    @staticmethod
    def scattered(digits: Images, classes: npt.NDArray[np.int64], count: int, rng: np.random.Generator) -> Canvases:
        """Two to six of the `digits`, [M, 8, 8] in [0, 1], on each of `count` canvases, enlarged and dimmed."""
        images = np.zeros((count, 1, SIZE, SIZE), np.float32)
        labels = np.full((count, MOST_DIGITS, 5), _NOBODY, np.float32)
        for image, rows in zip(images[:, 0], labels, strict=True):
            _add_strokes(image, rng)
            wanted, placed = int(rng.integers(2, MOST_DIGITS + 1)), 0
            for _ in range(_TRIES):
                chosen = int(rng.integers(len(digits)))
                box = _place(image, digits[chosen], rows[:placed, 1:], rng)
                if box is not None:
                    rows[placed] = (classes[chosen], *box)
                    placed += 1
                if placed == wanted:
                    break
            image[:] = np.round(np.clip(image, 0, 1) * _LEVELS) / _LEVELS
        return Canvases(images, labels)


def _place(image: Images, digit: Images, taken: Images, rng: np.random.Generator) -> Images | None:
    """Draw a digit where no other is; its box, or None if there is another."""
    height, width = rng.integers(_SMALLEST, _LARGEST + 1) * rng.uniform(0.85, 1.0, 2)
    drawn = _resized(digit, max(int(height), _SMALLEST), max(int(width), _SMALLEST))
    top, left = (int(rng.integers(0, SIZE - extent + 1)) for extent in drawn.shape)
    rows, columns = (np.flatnonzero((drawn > _INK).any(axis=axis)) for axis in (1, 0))
    box = np.array([left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1], np.float32)
    if len(taken) and overlaps(box[None], taken).max() > 0:
        return None
    place = image[top : top + drawn.shape[0], left : left + drawn.shape[1]]
    np.maximum(place, drawn * rng.uniform(0.6, 1.0), out=place)
    return box


def _add_strokes(image: Images, rng: np.random.Generator) -> None:
    """Dim lines that are no digits."""
    for _ in range(rng.integers(0, 4)):
        ends, steps = rng.uniform(0, SIZE - 1, (2, 2)), np.linspace(0, 1, 2 * SIZE)[:, None]
        rows, columns = np.round(ends[0] + steps * (ends[1] - ends[0])).astype(int).T
        image[rows, columns] = rng.uniform(0.1, 0.5)


def _resized(digit: Images, height: int, width: int) -> Images:
    """Bilinear, pixel centres aligned as in ONNX's half_pixel."""
    return (_weights(height) @ digit @ _weights(width).T).astype(np.float32)


def _weights(extent: int) -> Images:
    """[extent, 8]: what each of 8 pixels gives to each of `extent`."""
    at = np.clip((np.arange(extent) + 0.5) * 8 / extent - 0.5, 0, 7)
    return np.maximum(1 - np.abs(at[:, None] - np.arange(8)), 0).astype(np.float32)
