"""How long work tells of itself, whoever listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final, Protocol

from quantune_mlir.backend.compiling import Compiling

Tick = Callable[[], None]


class Progress(Protocol):
    """Shows stages: `with progress.stage("run 1: fp32", 100) as tick: ... tick()`."""

    def stage(self, name: str, total: int | None = None) -> AbstractContextManager[Tick]:
        """Opens a stage of `total` steps (None: unknown)."""
        ...


class Silent:
    """Shows nothing."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Generator[Tick]:
        """A stage that nobody sees."""
        yield lambda: None


SILENT: Final = Silent()


def of_kernels(progress: Progress) -> Compiling:
    """Shows how many kernels of a program are compiled."""
    return partial(progress.stage, "of its kernels")


class Stopwatch:
    """Passes stages on to a Progress and keeps their durations in seconds, in order."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.compiling = of_kernels(progress)
        """Is told how far a compilation is, within a stage."""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, key: str, title: str, total: int | None = None) -> Generator[Tick]:
        """A stage shown as `title` and timed as `key`."""
        start = time.perf_counter()
        with self._progress.stage(title, total) as tick:
            yield tick
        self.seconds[key] = self.seconds.get(key, 0.0) + time.perf_counter() - start
