"""How good a variant is: its metric, its noise, and its answers beside another's on the same samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.metrics import ErrorEnergy

Array = NDArray[np.floating]

LEAST_LOG_PROBABILITY: Final = -69.0
"""Probabilities below e^-69 = 1e-30 count as that: float32 holds hardly less."""


@dataclass(frozen=True)
class Paired:
    """Which samples changed from one program to another.

    Attributes:
        lost: samples that were right and are wrong.
        won: samples that were wrong and are right.
    """

    lost: list[int]
    won: list[int]

    @staticmethod
    def of(before: Sequence[int], after: Sequence[int], labels: Sequence[int]) -> Paired:
        """From predictions and labels, one for each sample."""
        right = np.asarray(before) == np.asarray(labels)
        still = np.asarray(after) == np.asarray(labels)
        return Paired(np.flatnonzero(right & ~still).tolist(), np.flatnonzero(~right & still).tolist())

    @property
    def p_value(self) -> float:
        """McNemar's exact test, two-sided: how likely so uneven a change is if both programs are equally good."""
        changed = len(self.lost) + len(self.won)
        fewer = min(len(self.lost), len(self.won))
        tail = sum(math.comb(changed, k) for k in range(fewer + 1)) / 2**changed
        return min(1.0, 2 * tail)


def predictions(outputs: Array) -> list[int]:
    """The largest of each sample's outputs, (samples, classes)."""
    return outputs.argmax(axis=1).tolist()


def centred_logits(logits: Array) -> NDArray[np.float64]:
    """What a softmax reads, less its mean over the classes, which a softmax does not see: (samples, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return _centred(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def centred_log_probabilities(outputs: Array) -> NDArray[np.float64]:
    """The same as `centred_logits`, from what the softmax gives."""
    return _centred(np.log(np.maximum(outputs.astype(np.float64), math.exp(LEAST_LOG_PROBABILITY))))


def sqnr_db(signal: Array, quantized: Array) -> float | None:
    """10 log10(Σx² / Σ(x − x̂)²); None where there is no error."""
    energy = ErrorEnergy.of(signal, quantized)
    return energy.sqnr_db if energy.noise else None


def _centred(log_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.maximum(log_probabilities, LEAST_LOG_PROBABILITY)
    return kept - kept.mean(axis=1, keepdims=True)
