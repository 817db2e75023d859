"""Runs inputs in forked children, which have everything imported: many in one child, until one brings it down."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.fuzz.outcome import CRASH, HANG, MEMORY, outcome_of

SECONDS: Final = 10
"""Seconds of the processor, so that it does not matter what else the machine does."""
_WALL_SECONDS: Final = 60
_TIMES_UP: Final = (signal.SIGALRM, signal.SIGPROF, signal.SIGXCPU)
MOST_MEMORY: Final = 2 << 30
_HEADROOM: Final = 4 << 30
"""Bytes of address space that are left free: what asks for more gets none."""


def run_all(run: Callable[[Path], object], paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """The outcome of each input, in order.

    Of a process that has used MLIR's threads the children may wait for them in vain: call this from a fresh one.
    """
    position = 0
    while position < len(paths):
        found = list(_run_some(run, paths[position:]))
        yield from zip(paths[position:], found, strict=False)
        position += len(found)


def _run_some(run: Callable[[Path], object], paths: Sequence[Path]) -> Iterator[str]:
    """Outcomes of as many of the first inputs as one child gets through; the last may be its end."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _work(run, paths, writer)
    os.close(writer)
    said = b""
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    _, status, usage = os.wait4(child, 0)
    outcomes = [line for line in said.decode(errors="replace").splitlines() if line]
    if usage.ru_maxrss * 1024 > MOST_MEMORY:
        outcomes[-1:] = [MEMORY]
    elif len(outcomes) < len(paths):
        outcomes.append(_end(status))
    yield from outcomes


def _end(status: int) -> str:
    number = os.waitstatus_to_exitcode(status)
    if -number in _TIMES_UP:
        return HANG
    return f"{CRASH} {signal.Signals(-number).name}" if number < 0 else f"{CRASH} status {number}"


def _work(run: Callable[[Path], object], paths: Sequence[Path], writer: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    limit = _address_space() + _HEADROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for path in paths:
        # Signals that nobody handles end the process, also inside of C++.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, _WALL_SECONDS)
        outcome = outcome_of(run, path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        with contextlib.suppress(OSError):
            os.write(writer, f"{outcome}\n".encode())
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > MOST_MEMORY:
            break
    os._exit(0)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()
