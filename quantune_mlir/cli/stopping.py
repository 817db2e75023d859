"""SIGINT and SIGTERM: a run ends cleanly, and says so, once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

HEEDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORDS: Final = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
_LATER: Final = 0.05
"""Seconds."""


class Stopped(KeyboardInterrupt):
    """A signal asks the run to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


def _heed_signals() -> None:
    """Let signals raise Stopped in the main thread. Those that come while it cleans up are ignored."""
    for number in HEEDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    sys.unraisablehook = _unraisable


@contextmanager
def reports_stop(program: str) -> Generator[None]:
    """Turns Stopped, and what else an interrupted library raises, into one line and the shell's status for it."""
    if threading.current_thread() is threading.main_thread():
        _heed_signals()
    try:
        yield
    except BaseException as error:
        stopped = _stopped_by(error)
        if stopped is None:
            raise
        print(f"{program}: {_WORDS[stopped]}; nothing was written", file=sys.stderr)
        sys.exit(128 + stopped)


@contextmanager
def holding_signals() -> Generator[None]:
    """Lets signals that come meanwhile raise afterwards: modules of MLIR abort if that happens in their making."""
    _HELD.clear()
    _holding.set()
    try:
        yield
    finally:
        _holding.clear()
        for number in _HELD[:1]:
            _stop(number, None)


_LATEST: list[signal.Signals] = []
_HELD: list[int] = []
_holding: Final = threading.Event()


def _stop(number: int, frame: FrameType | None) -> None:
    if _holding.is_set():
        _HELD.append(number)
        return
    for heeded in HEEDED:
        signal.signal(heeded, signal.SIG_IGN)
    _LATEST.append(signal.Signals(number))
    raise Stopped(number)


def _stopped_by(error: BaseException) -> signal.Signals | None:
    """Libraries wrap what a signal raised in exceptions of their own: any that follows a signal is due to it."""
    if _LATEST:
        return _LATEST.pop()
    return signal.SIGINT if isinstance(error, KeyboardInterrupt) else None


def _unraisable(what: Any) -> None:
    """A signal that came where nothing can be raised, as in a destructor, comes again a little later.

    Not at once: what is raised in here cannot be raised, either.
    """
    if isinstance(what.exc_value, Stopped):
        number = what.exc_value.number
        signal.signal(number, _stop)
        again = threading.Timer(_LATER, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(what)
