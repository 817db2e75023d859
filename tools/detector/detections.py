"""What a detector's output says is there, and how much of it is.

It is also a score function, as `--score tools/detector/detections.py` of `quantune` takes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

DIGITS: Final = 10
THRESHOLD: Final = 0.35
"""The least score of a box that is shown."""
MATCHING: Final = 0.5
"""The least overlap of a box that is where a digit is; what overlaps a better box by as much is dropped."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Detections:
    """Boxes [N, 4] as left, top, right and bottom in pixels, digits [N] and scores [N], best first."""

    boxes: Array
    digits: Array
    scores: Array

    @staticmethod
    def of(output: Array) -> Detections:
        """Those of one canvas: `output` is [14, 320], centre, width and height of boxes, then ten scores."""
        best = output[4:].max(axis=0)
        order = [cell for cell in np.argsort(-best, kind="stable") if best[cell] >= THRESHOLD]
        centres, sides = output[:2].T, output[2:4].T
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
        kept: list[int] = []
        for cell in order:
            if not kept or overlaps(boxes[[cell]], boxes[kept]).max() < MATCHING:
                kept.append(int(cell))
        return Detections(boxes[kept], output[4:, kept].argmax(axis=0), best[kept])

    def right(self, labels: Array) -> Array:
        """Which of the boxes lie on a digit of `labels`, [6, 5], that no better box has, and name it: [N] of bool."""
        left = labels[labels[:, 0] >= 0]
        found = np.zeros(len(self.boxes), bool)
        for box in range(len(found)):
            fits = (overlaps(self.boxes[[box]], left[:, 1:])[0] >= MATCHING) & (left[:, 0] == self.digits[box])
            if fits.any():
                found[box] = True
                left = np.delete(left, int(np.argmax(fits)), axis=0)
        return found


@dataclass(frozen=True)
class Count:
    """Over some canvases.

    Attributes:
        digits: that are there.
        found: boxes with the right digit.
        false: other boxes.
    """

    digits: int
    found: int
    false: int

    @staticmethod
    def of(outputs: Array, labels: Array) -> Count:
        """`outputs` is [N, 14, 320], `labels` [N, 6, 5]."""
        right = [Detections.of(output).right(each) for output, each in zip(outputs, labels, strict=True)]
        found, boxes = sum(int(each.sum()) for each in right), sum(len(each) for each in right)
        return Count(int((labels[:, :, 0] >= 0).sum()), found, boxes - found)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.found / (self.digits + self.found + self.false)


def overlaps(boxes: Array, others: Array) -> Array:
    """Intersection over union of boxes [N, 4] and others [M, 4], corners in pixels: [N, M]."""
    first, last = (
        np.maximum(boxes[:, None, :2], others[None, :, :2]),
        np.minimum(boxes[:, None, 2:], others[None, :, 2:]),
    )
    shared = np.prod(np.maximum(last - first, 0), axis=2)
    areas = [np.prod(np.maximum(each[:, 2:] - each[:, :2], 0), axis=1) for each in (boxes, others)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def score(outputs: Sequence[Array], references: Sequence[Array], labels: Array) -> float:
    """F1 of the boxes found, between 0 and 1."""
    return Count.of(np.asarray(outputs[0]), labels).f1
