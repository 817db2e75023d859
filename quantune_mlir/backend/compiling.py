"""Who is told how far a compilation is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

Compiling = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Opened for so many kernels of a program, if some are still to be compiled; gives what is called after each.

That may be on another thread. The program itself is compiled meanwhile, and perhaps for longer.
"""


@contextmanager
def untold(kernels: int) -> Generator[Callable[[], None]]:
    """Nobody is told."""
    yield lambda: None
