"""Latency of programs, interleaved: in each round every program runs once, so that they share what disturbs them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from quantune_mlir.execution.program import SINGLE_THREAD

WARM_UP_ROUNDS: Final = 3
MIN_ROUNDS: Final = 20
MAX_ROUNDS: Final = 2000


@dataclass(frozen=True)
class Latency:
    """Milliseconds per call."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int


def device_for(threads: int) -> str:
    """The IREE device that runs on so many threads: the caller's own, or a pool."""
    return SINGLE_THREAD if threads == 1 else "local-task"


def measure(
    calls: Mapping[str, Callable[[], object]], *, seconds: float, on_round: Callable[[], None] = lambda: None
) -> dict[str, Latency]:
    """Times each call in interleaved rounds.

    Args:
        calls: what to time, by name.
        seconds: about how long to measure; at least MIN_ROUNDS and at most MAX_ROUNDS rounds are run.
        on_round: called after each round.
    """
    for _ in range(WARM_UP_ROUNDS):
        for call in calls.values():
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < MIN_ROUNDS or (rounds < MAX_ROUNDS and time.perf_counter() < end):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
        rounds += 1
        on_round()
    return {name: _latency(samples) for name, samples in times.items()}


@contextmanager
def pinned(threads: int) -> Generator[Sequence[int]]:
    """Binds this process to its first `threads` CPUs, where the system lets it; the CPUs."""
    if not hasattr(os, "sched_setaffinity"):
        yield ()
        return
    before = os.sched_getaffinity(0)
    chosen = sorted(before)[:threads]
    os.sched_setaffinity(0, chosen)
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, before)


def _latency(samples: Sequence[float]) -> Latency:
    p10, median, p90 = np.percentile(np.array(samples) * 1e3, [10, 50, 90])
    return Latency(float(median), float(p10), float(p90), len(samples))
