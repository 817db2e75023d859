"""What a network is for, judged against fp32: each takes a variant's outputs and fp32's, and gives a share from 0 to 1.

Outputs are lists of arrays with samples along axis 0, as for `quantune evaluate --score`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Outputs = Sequence[Array]

OVERLAP: Final = 0.5
"""Two boxes of the same class match from this intersection over union on."""


@dataclass(frozen=True)
class Boxes:
    """The objects of one picture: corners (boxes, 4) as x1, y1, x2, y2; score and class of each (boxes,)."""

    corners: Array
    scores: Array
    classes: Array

    def __len__(self) -> int:
        return len(self.corners)

    def chosen(self, which: Array) -> Boxes:
        """Some of the boxes."""
        return Boxes(self.corners[which], self.scores[which], self.classes[which])


def from_centres(places: Array, scores: Array, classes: Array) -> Boxes:
    """Boxes given as centre x, centre y, width, height."""
    half = places[:, 2:] / 2
    return Boxes(np.hstack([places[:, :2] - half, places[:, :2] + half]), scores, classes)


def overlaps(one: Array, others: Array) -> Array:
    """Intersection over union of one box (4,) with others (boxes, 4)."""
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:], others[:, 2:])
    inside = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(one[2:] - one[:2])
    return inside / np.maximum(areas - inside, 1e-9)


def suppressed(boxes: Boxes, overlap: float) -> Boxes:
    """Without those that overlap a box of a higher score by more (non-maximum suppression, whatever the class)."""
    left, kept = np.argsort(-boxes.scores, kind="stable"), list[int]()
    while len(left):
        best, *_ = left
        kept.append(int(best))
        left = left[1:][overlaps(boxes.corners[best], boxes.corners[left[1:]]) <= overlap]
    return boxes.chosen(np.array(kept, np.intp))


def matches(found: Boxes, wanted: Boxes) -> int:
    """How many boxes of one picture match one of the other's, each at most once, the highest scores first."""
    free = np.ones(len(wanted), np.bool_)
    for index in np.argsort(-found.scores, kind="stable"):
        fit = overlaps(found.corners[index], wanted.corners)
        fit[~free | (wanted.classes != found.classes[index])] = 0
        if len(fit) and fit.max() >= OVERLAP:
            free[fit.argmax()] = False
    return int((~free).sum())


def boxes_matched(read: Callable[[Array], Boxes]) -> Callable[[Outputs, Outputs, object], float]:
    """F1 of a variant's boxes, with fp32's as the truth. `read` makes boxes of one picture's first output."""

    def score(outputs: Outputs, references: Outputs, _: object) -> float:
        pairs = [(read(mine), read(true)) for mine, true in zip(outputs[0], references[0], strict=True)]
        total = sum(len(mine) + len(true) for mine, true in pairs)
        return 2 * sum(matches(mine, true) for mine, true in pairs) / total if total else 1.0

    return score


def yolov8_boxes(output: Array) -> Boxes:
    """NudeNet's reading: (4 + classes, places); scores from .25 on, overlaps up to .45."""
    classes = output[4:].argmax(axis=0)
    scores = output[4:].max(axis=0)
    keep = scores >= 0.25
    return suppressed(from_centres(output[:4, keep].T, scores[keep], classes[keep]), 0.45)


def yolox_boxes(output: Array) -> Boxes:
    """ddddocr's reading: (places, centre and logarithm of size in cells, object and class score); 416 pixels wide."""
    cells = [(416 // stride, stride) for stride in (8, 16, 32)]
    grid = np.concatenate([np.stack(np.meshgrid(*[np.arange(n)] * 2), -1).reshape(-1, 2) for n, _ in cells])
    strides = np.concatenate([np.full((n * n, 1), stride) for n, stride in cells])
    places = np.hstack([(output[:, :2] + grid) * strides, np.exp(output[:, 2:4]) * strides])
    scores = output[:, 4] * output[:, 5:].max(axis=1)
    keep = scores > 0.1
    return suppressed(from_centres(places[keep], scores[keep], output[keep, 5:].argmax(axis=1)), 0.45)


def texts(classes: Array) -> list[list[int]]:
    """What a recogniser reads, from the class of each step (samples, steps): repeats are one, 0 is none (CTC)."""
    rows = classes.reshape(len(classes), -1).astype(np.int64)
    return [[int(c) for c, before in zip(row, [0, *row], strict=False) if c and c != before] for row in rows]


def distance(one: Sequence[int], other: Sequence[int]) -> int:
    """Levenshtein's: how many characters have to be changed, added or left out."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


def characters(classes: Callable[[Array], Array]) -> Callable[[Outputs, Outputs, object], float]:
    """The share of fp32's characters that are right. `classes` makes the class of each step of first outputs."""

    def score(outputs: Outputs, references: Outputs, _: object) -> float:
        mine, true = texts(classes(outputs[0])), texts(classes(references[0]))
        wrong = sum(distance(a, b) for a, b in zip(mine, true, strict=True))
        return max(0.0, 1 - wrong / max(1, sum(map(len, true))))

    return score


def top1(outputs: Outputs, references: Outputs, _: object) -> float:
    """How many samples have fp32's class."""
    mine, true = (each[0].reshape(len(each[0]), -1).argmax(axis=1) for each in (outputs, references))
    return float(np.mean(mine == true))


def pixels(outputs: Outputs, references: Outputs, _: object) -> float:
    """How many places have fp32's class; classes along axis 1."""
    return float(np.mean(outputs[0].argmax(axis=1) == references[0].argmax(axis=1)))


def decisions(outputs: Outputs, references: Outputs, _: object) -> float:
    """How many probabilities fall on fp32's side of one half."""
    return float(np.mean((outputs[0] > 0.5) == (references[0] > 0.5)))


def mask_overlap(outputs: Outputs, references: Outputs, _: object) -> float:
    """Intersection over union of what is text, from .3 on as the package has it."""
    mine, true = outputs[0] > 0.3, references[0] > 0.3
    return float((mine & true).sum() / max(1, (mine | true).sum()))


def opinions(outputs: Outputs, references: Outputs, _: object) -> float:
    """How many opinion scores (1 to 5) are within a tenth of fp32's."""
    return float(np.mean(np.abs(outputs[0] - references[0]) <= 0.1))


def cosine(outputs: Outputs, references: Outputs, _: object) -> float:
    """The mean cosine of a sample's embedding and fp32's."""
    mine, true = (each[0].reshape(len(each[0]), -1).astype(np.float64) for each in (outputs, references))
    return float(np.mean((mine * true).sum(1) / (np.linalg.norm(mine, axis=1) * np.linalg.norm(true, axis=1) + 1e-30)))
