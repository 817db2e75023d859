"""Rank correlations. Ties get the mean of their ranks; infinities rank as such."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Rank of each value from 0, ties averaged."""
    array = np.asarray(values, np.float64)
    below = (array[None, :] < array[:, None]).sum(axis=1)
    equal = (array[None, :] == array[:, None]).sum(axis=1)
    return below + (equal - 1) / 2


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Pearson correlation of the ranks; 0 where either is constant."""
    x, y = ranks(a), ranks(b)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / scale if scale else 0.0


def kendall(a: Sequence[float], b: Sequence[float]) -> float:
    """Kendall's tau-b; 0 where either is constant."""
    upper = np.triu_indices(len(a), 1)
    x, y = (np.sign(r[:, None] - r[None, :])[upper] for r in (ranks(a), ranks(b)))
    scale = float(np.sqrt((x != 0).sum() * (y != 0).sum()))
    return float((x * y).sum()) / scale if scale else 0.0
