"""The peers by name. Each module has `prepare(job) -> Starter`; it is imported when its peer is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TypeVar

from quantune_mlir.backend.peers.job import Job, Starter
from quantune_mlir.backend.peers.names import PEERS
from quantune_mlir.errors import PeerError, QuantuneError

T = TypeVar("T")


def check_names(names: Iterable[str]) -> None:
    """Raises PeerError if one of `names` is no peer's."""
    for name in names:
        if name not in PEERS:
            near = get_close_matches(name, PEERS, n=1)
            raise PeerError(
                f"unknown peer {name!r}",
                remedy=f"did you mean {near[0]!r}?" if near else f"known peers: {', '.join(PEERS)}",
            )


def prepare(name: str, job: Job) -> Starter:
    """Do all that takes long and may use all CPUs: convert, quantize, compile.

    Raises:
        PeerError: the peer is not installed, or cannot run this model.
    """
    starter = _guarded(name, lambda: importlib.import_module(f"{__package__}.{PEERS[name]}").prepare(job))
    return lambda: _guarded(name, starter)


def _guarded(name: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except QuantuneError:
        raise
    except ImportError as error:
        raise PeerError(
            f"{error.name or error} is not installed", where=name, remedy="pip install 'quantune-mlir[peers]'"
        ) from error
    except Exception as error:  # whatever a foreign engine raises, it is left out and the others are measured
        reason = next(iter(str(error).strip().splitlines()), "")
        raise PeerError(f"cannot run this model: {type(error).__name__}: {reason}", where=name) from error
