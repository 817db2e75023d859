"""Orders in which layers become fp32: by a metric, by place, by chance, and greedily by what it buys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from quantune_mlir.planning.metric import Metric
from quantune_mlir.planning.sensitivity import SensitivityList


def by_metric(sensitivity: SensitivityList, metric: Metric, names: Sequence[str]) -> list[str]:
    """The most sensitive first."""
    return [layer.name for layer in sensitivity.sorted_by(metric).layers if layer.name in names]


def first_and_last(names: Sequence[str]) -> list[str]:
    """The first, the last, the second, the last but one and so on."""
    order: dict[str, None] = {}
    for first, last in zip(names, names[::-1], strict=True):
        order |= {first: None, last: None}
    return list(order)


def random_order(names: Sequence[str], seed: int) -> list[str]:
    """Shuffled, the same for the same seed."""
    return [names[int(i)] for i in np.random.default_rng(seed).permutation(len(names))]


def greedy(names: Sequence[str], noise: Callable[[Sequence[Sequence[str]]], list[float]]) -> list[str]:
    """At each step the layer whose move to fp32 leaves the least noise, of all that are still int8.

    Args:
        names: the layers.
        noise: at the output, for each list of int8 layers.
    """
    int8, order = list(names), list[str]()
    while int8:
        candidates = [[name for name in int8 if name != moved] for moved in int8]
        best = int8[int(np.argmin(noise(candidates)))]
        order.append(best)
        int8.remove(best)
    return order
