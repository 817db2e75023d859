"""Starts a worker, waits for it, and watches how much memory it and what it starts have."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quantune_mlir.backend.peers.isa import onednn_isa
from quantune_mlir.hardware.host_isa import host_flags
from quantune_mlir.hardware.targets import load_target
from tools.quantizers import worker

_POLL_SECONDS: Final = 0.02
_MESSAGE_CHARACTERS: Final = 300
_ERROR: Final = re.compile(r"^\w[\w.]*(?:Error|Exception|bad_alloc)\b", re.MULTILINE)


class StepFailed(Exception):
    """A worker came to grief; the message says how."""


@dataclass(frozen=True)
class Limits:
    """Of every worker.

    Attributes:
        cpu: the one that it is bound to.
        memory_gib: what it may allocate.
        seconds: what it may take.
    """

    cpu: int
    memory_gib: float
    seconds: float


@dataclass(frozen=True)
class Step:
    """What a worker took: seconds from start to end, and the most memory of all its processes at one time."""

    seconds: float
    tree_peak_kib: int


def run_worker(limits: Limits, *arguments: object) -> Step:
    """Runs a step of `worker` to its end. Raises StepFailed, with the peak so far, if it fails."""
    command = [sys.executable, "-m", "tools.quantizers.worker", *map(str, arguments)]
    start = time.monotonic()
    peak = 0
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment(limits), stdout=said, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                peak = max(peak, _tree_kib(process.pid))
                if time.monotonic() - start > limits.seconds:
                    raise StepFailed(f"stopped after {limits.seconds:.0f} s at {peak / 2**20:.1f} GiB")
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                for pid in reversed(_tree(process.pid)):
                    _kill(pid)
            process.wait()
        if process.returncode:
            said.seek(0)
            reason = last_error(said.read().decode(errors="replace")) or f"exit code {process.returncode}"
            raise StepFailed(f"{reason} (at {peak / 2**20:.1f} GiB)")
    return Step(time.monotonic() - start, peak)


def last_error(text: str) -> str:
    """The message of the last exception in what a program said, without the traceback; else its last line."""
    errors = [match.start() for match in _ERROR.finditer(text)]
    lines = text[errors[-1] :].split() if errors else text.strip().splitlines()[-1:]
    return " ".join(lines)[:_MESSAGE_CHARACTERS]


def environment(limits: Limits) -> dict[str, str]:
    """The worker's: one thread, and the instructions that our programs use too."""
    isa = onednn_isa(load_target("host"), host_flags())
    return {
        **os.environ,
        worker.CPU: str(limits.cpu),
        worker.MEMORY: str(limits.memory_gib),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OPENVINO_TELEMETRY_OPT_OUT": "1",
        **({"ONEDNN_MAX_CPU_ISA": isa} if isa else {}),
    }


def _tree(pid: int) -> list[int]:
    """A process and its descendants, parents first; without those that ended meanwhile."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(descendant for child in children for descendant in _tree(child))]


def _tree_kib(pid: int) -> int:
    """Resident memory of a worker and of other programs that it started; its forks share its memory."""
    program = _program(pid)
    started = [child for child in _tree(pid)[1:] if _program(child) != program]
    return sum(map(_resident_kib, [pid, *started]))


def _program(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def _resident_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
