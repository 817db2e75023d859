"""Latency of programs, interleaved: in each round every program has its turn, so that they share what disturbs them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import iree.runtime as iree_rt
import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.program import SINGLE_THREAD

WARM_UP_CALLS: Final = 3
WARM_UP_SECONDS: Final = 1.0
"""A program so slow that one warm-up call takes longer gets no second."""
TURN_SECONDS: Final = 1e-3
"""The least duration of what is timed in a turn: quicker programs are called several times in a row."""
COLD_SECONDS: Final = 0.1
"""A turn begins with an untimed call that brings the program's data back into the caches, but for programs so slow that
it makes no difference."""
MAX_CALLS: Final = 1000
MIN_ROUNDS: Final = 20
FEW_ROUNDS: Final = 5
"""Enough where MIN_ROUNDS would take ten times as long as was asked for, and more than ten seconds."""
MAX_ROUNDS: Final = 2000

Runner = Callable[[int], float]
"""Runs a program so many times in a row; the seconds that this took."""

Clock = Callable[[], float]
"""Seconds since some moment. That of the thread (`time.thread_time`) leaves out when others had its CPU."""

Times = NDArray[np.float64]
"""Seconds per call, one element a round."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds per call, over `runs` rounds."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int

    @staticmethod
    def of(times: Times) -> Latency:
        """The latency that `times` show."""
        p10, median, p90 = np.percentile(times * 1e3, [10, 50, 90])
        return Latency(float(median), float(p10), float(p90), len(times))


@dataclass(frozen=True)
class Ratio:
    """One program's time over another's, taken in each round."""

    median: float
    p10: float
    p90: float

    @staticmethod
    def of(times: Times, others: Times) -> Ratio:
        """The ratio of two programs measured in the same rounds. Below 1, the first is the quicker."""
        p10, median, p90 = np.percentile(times / others, [10, 50, 90])
        return Ratio(float(median), float(p10), float(p90))


def device_for(threads: int) -> str:
    """The IREE device that runs on so many threads: the caller's own, or a pool."""
    return SINGLE_THREAD if threads == 1 else "local-task"


def repeated(call: Callable[[], object], clock: Clock = time.perf_counter) -> Runner:
    """The runner of a program that this process calls."""

    def run(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            call()
        return clock() - start

    return run


def measure(
    runners: Mapping[str, Runner], *, seconds: float, on_round: Callable[[], None] = lambda: None
) -> dict[str, Times]:
    """Seconds per call of each program, in rounds in which each has one turn, warm as in a loop of its own.

    Args:
        runners: what to measure, by name.
        seconds: about how long to measure. At least MIN_ROUNDS rounds are run (FEW_ROUNDS of very slow programs), and
            at most MAX_ROUNDS.
        on_round: called after each round.
    """
    turns = {name: _Turn.sized(run) for name, run in runners.items()}
    times: dict[str, list[float]] = {name: [] for name in runners}
    start = time.perf_counter()
    rounds = 0
    while rounds < MAX_ROUNDS:
        elapsed = time.perf_counter() - start
        if elapsed > seconds and (rounds >= MIN_ROUNDS or (rounds >= FEW_ROUNDS and elapsed > 10 * max(seconds, 1.0))):
            break
        for name, turn in turns.items():
            times[name].append(turn.take())
        rounds += 1
        on_round()
    return {name: np.array(samples) for name, samples in times.items()}


@contextmanager
def pinned(threads: int) -> Generator[Sequence[int]]:
    """Binds this process, and IREE's pool, to the first `threads` CPUs, where the system lets it; the CPUs.

    The pool is made when the first program is loaded on "local-task", and keeps these CPUs until the process ends.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield ()
        return
    before = os.sched_getaffinity(0)
    chosen = sorted(before)[:threads]
    if threads > 1:
        iree_rt.flags.parse_flags(f"--task_topology_cpu_ids={','.join(map(str, chosen))}")
    os.sched_setaffinity(0, chosen)
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class _Turn:
    """What a program does in each round."""

    run: Runner
    calls: int
    warms: bool

    @staticmethod
    def sized(run: Runner) -> _Turn:
        """Calls the program until it is warm, and sees how long it takes then."""
        latest = spent = 0.0
        for _ in range(WARM_UP_CALLS):
            latest = run(1)
            spent += latest
            if spent > WARM_UP_SECONDS:
                break
        return _Turn(run, max(1, min(MAX_CALLS, math.ceil(TURN_SECONDS / max(latest, 1e-9)))), latest < COLD_SECONDS)

    def take(self) -> float:
        """Seconds per call."""
        if self.warms:
            self.run(1)
        return self.run(self.calls) / self.calls
