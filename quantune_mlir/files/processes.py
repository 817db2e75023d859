"""Child processes that do not outlive those that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Let the calling process be killed when the thread that started it ends. Linux only; nothing elsewhere."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def processors() -> int:
    """How many this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(frozen=True)
class Limits:
    """What a child may take. Nothing is limited on Windows.

    Attributes:
        memory: bytes of address space.
        cpu_seconds: seconds of all processors together.
        file_size: bytes of a file that it writes.
    """

    memory: int
    cpu_seconds: int
    file_size: int

    def apply_and_die_with_parent(self) -> None:
        """Limit the calling process, which is a child."""
        die_with_parent()
        if sys.platform != "win32":
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))
            resource.setrlimit(resource.RLIMIT_CPU, (self.cpu_seconds, self.cpu_seconds))
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size, self.file_size))


def run_child(
    command: Sequence[str],
    *,
    source: bytes = b"",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    limits: Limits | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, in `folder`, with `source` on its stdin.

    It is killed if this process stops waiting, or dies, or if it takes more than `limits`.
    """
    return subprocess.run(
        command,
        input=source,
        capture_output=True,
        check=False,
        cwd=folder,
        env=None if environment is None else {**os.environ, **environment},
        preexec_fn=die_with_parent if limits is None else limits.apply_and_die_with_parent,
    )


def peak_mib() -> dict[str, int]:
    """The most memory that this process ever had resident, and the largest of the children that have ended; in MiB.

    Empty on Windows, which does not tell.
    """
    if sys.platform == "win32":
        return {}
    import resource

    units = 1 << 20 if sys.platform == "darwin" else 1 << 10
    who = {"process": resource.RUSAGE_SELF, "compiler": resource.RUSAGE_CHILDREN}
    return {name: resource.getrusage(number).ru_maxrss // units for name, number in who.items()}
