"""How many samples a noisier classifier loses, estimated from few.

Counting lost samples is coarse: 100 samples show no drop finer than a point, and hardly one point from none. But how
far a sample's scores are from a tie says how much noise it bears. Let m_k be the score of the right class less that of
its rival k in fp32, and e_k the change of that difference in int8. With s_k^2 the mean over samples of e_k^2, k by rank
in fp32,

    expected losses = mean over samples that fp32 has right of  1 - product over k of Phi(m_k / s_k),

Phi being the normal distribution function. (The formula is ours; rivals count as independent, which errs towards more
losses.) Wins are not counted against losses: on other samples they may be fewer.

A network is surer of samples that it was trained on than of others, and people calibrate with those. The middle of the
margins moves little, though, only the ties go: on nine networks and samples that they had not seen, margins near zero
were 0.44 to 0.8 times as frequent as 1 / (the median margin M). So the losses are also reckoned as

    unseen losses = 1/2 * 0.65 / M * s_1 / sqrt(2 pi),

half of all that changes sides where margins have the density 0.65 / M around zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, pi, prod, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

_TINY: Final = 1e-30
_RIVALS: Final = 20
"""Classes that may take the right one's place: the strongest."""
_TIES: Final = 0.65
"""Density of margins around zero, times the median margin."""
_SUM_TOLERANCE: Final = 1e-3


@dataclass(frozen=True)
class Drop:
    """What a classifier loses against fp32, as percentages of the samples.

    Attributes:
        lost: samples that fp32 has right (or, without labels, all) and it has not.
        won: those that it has right and fp32 has not; 0 without labels.
        expected: losses as they are expected of the noise in the scores.
        unseen: the same on samples of which fp32 is less sure than it may be of these.
    """

    lost: float
    won: float
    expected: float
    unseen: float

    @property
    def points(self) -> float:
        """What to expect on other samples: the largest of the losses counted and estimated."""
        return max(self.lost - self.won, self.expected, self.unseen)

    def as_dict(self) -> dict[str, float]:
        """For files and tables."""
        return {
            "lost_percent": self.lost,
            "won_percent": self.won,
            "expected_lost_percent": round(self.expected, 3),
            "unseen_lost_percent": round(self.unseen, 3),
        }


@dataclass(frozen=True)
class ScoreDrop:
    """What a network loses by another yardstick, the higher the better: its score and fp32's, which is not 0."""

    score: float
    reference: float

    @property
    def points(self) -> float:
        """What is lost, in percent of fp32's score."""
        return 100 * (self.reference - self.score) / abs(self.reference)

    def as_dict(self) -> dict[str, float]:
        """For files and tables."""
        return {"score": self.score, "fp32_score": self.reference, "lost_percent": round(self.points, 3)}


def estimate_drop(
    reference: NDArray[np.floating], scores: NDArray[np.floating], labels: NDArray[np.integer] | None
) -> Drop:
    """The drop of a classifier.

    Args:
        reference: (samples, classes), fp32's scores: logits or probabilities.
        scores: the same of the other classifier.
        labels: (samples,), or None: what fp32 says is right.
    """
    before, after = logits(reference), logits(scores)
    rows = np.arange(len(before))
    chosen = before.argmax(axis=1)
    right = chosen if labels is None else labels
    if before.shape[1] < 2:
        return Drop(0.0, 0.0, 0.0, 0.0)
    others = before.copy()
    others[rows, right] = -np.inf
    rivals = np.argsort(-others, axis=1, kind="stable")[:, : min(_RIVALS, before.shape[1] - 1)]
    margins = before[rows, right][:, None] - np.take_along_axis(before, rivals, axis=1)
    changes = after[rows, right][:, None] - np.take_along_axis(after, rivals, axis=1) - margins
    noise = np.maximum(np.sqrt(np.mean(changes**2, axis=0)), _TINY)
    had, has = chosen == right, after.argmax(axis=1) == right
    kept = [prod(0.5 * erfc(-z / sqrt(2)) for z in sample) for sample in margins[had] / noise]
    share = 100 / len(before)
    lost, won = int((had & ~has).sum()), int((~had & has).sum())
    median = max(float(np.median(np.abs(margins[:, 0]))), _TINY)
    unseen = 50 * _TIES / median * float(noise[0]) / sqrt(2 * pi)
    return Drop(share * lost, share * won, share * sum(1 - chance for chance in kept), min(unseen, 100.0))


def logits(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scores whose differences noise is added to: probabilities, rows that add up to 1, become logarithms."""
    values = scores.astype(np.float64)
    if (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=_SUM_TOLERANCE):
        return np.log(np.maximum(values, _TINY))
    return values
