"""What the programs of run 1 and run 2 are asked, run after run.

This goes to workers as it stands: it knows NumPy and a loaded program, nothing of MLIR.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.program import Array, Program
from quantune_mlir.backend.workers import Run

KEY_OF_INFINITY: Final = 0xFF800000
"""The least order-preserving key (kernels/texts/observe.mlir) of what is no number."""
NOT_READ: Final = 2**32 - 1
_FIRST: Final = slice(1)
_LAST: Final = slice(-1, None)
_ALL: Final = slice(None)
_NONE: Final = slice(0)

Rows = list[tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]]
"""Of each tensor the occupied buckets, their counts, and of each run the keys of its largest value and of its smallest
(inverted): uint32[runs, 2]."""

Observed = tuple[Rows, list[Array], int, int | None]
"""The histograms and the channels' state of some runs, their number, and the number of a sample that is not finite."""

Compared = tuple[list[Array], NDArray[np.float64]]
"""Of one run fp32's outputs, if wanted, and signal and noise of each row: float64[rows, 2]."""


def observe(
    program: Program, runs: Iterable[Run], *, tensors: int, channels: bool, runs_per_drain: int
) -> Iterator[Observed]:
    """Run 1: what the observers counted, as often as the device's 32-bit counters have to be read.

    It ends with a run that is not finite.
    """
    extremes: list[NDArray[np.uint32]] = []
    for number, inputs in runs:
        results = program.call("main", *inputs, keep=_LAST if tensors else _NONE)
        keys = results[0].view(np.uint32) if tensors else np.zeros((0, 2), np.uint32)
        extremes.append(keys)
        finite = keys.max(initial=0) < KEY_OF_INFINITY
        if not finite or len(extremes) == runs_per_drain:
            yield drained(program, extremes), _channels(program, channels), len(extremes), None if finite else number
            extremes = []
        if not finite:
            return
    if extremes:
        yield drained(program, extremes), _channels(program, channels), len(extremes), None


def drained(program: Program, extremes: Sequence[NDArray[np.uint32]]) -> Rows:
    """The histograms of all tensors, which are cleared on the device, with the extremes of the runs that filled them.

    Args:
        program: that was run.
        extremes: uint32[tensors, 2], of each run.
    """
    by_tensor = np.stack(extremes, axis=1)
    rows: Rows = []
    while len(rows) < len(by_tensor):
        first = len(rows)
        pairs, numbers = (part.view(np.uint32) for part in program.call("drain", first))
        start = 0
        for number, keys in zip(numbers[first:], by_tensor[first:], strict=True):
            if number == NOT_READ:
                break
            buckets, counts = pairs[start : start + number].T
            rows.append((buckets, counts, keys))
            start += int(number)
    return rows


def _channels(program: Program, channels: bool) -> list[Array]:
    return program.call("channels") if channels else []


def compare(
    program: Program, runs: Iterable[Run], *, function: str, shares: tuple[Array, ...], outputs: bool, rows: int
) -> Iterator[Compared]:
    """Run 2: each run by itself, so that sums over samples are made in the order of these wherever they were run."""
    for _, inputs in runs:
        results = program.call(function, *inputs, *shares, keep=_ALL if outputs else _NONE)
        sums = program.call("energies", keep=_FIRST)[0].astype(np.float64) if rows else np.zeros((0, 2))
        yield results, sums
