"""Starts a worker, waits for it, and watches how much memory it and what it starts have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

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
    """What every worker is held to.

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
        watched = psutil.Process(process.pid)
        try:
            while process.poll() is None:
                peak = max(peak, _tree_bytes(watched) // 1024)
                if time.monotonic() - start > limits.seconds:
                    raise StepFailed(f"stopped after {limits.seconds:.0f} s at {peak / 2**20:.1f} GiB")
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                for child in [*reversed(_started(watched)), watched]:
                    with suppress(psutil.NoSuchProcess):
                        child.kill()
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


def _started(worker: psutil.Process) -> list[psutil.Process]:
    """A worker's descendants; without those that ended meanwhile."""
    try:
        return worker.children(recursive=True)
    except psutil.Error:
        return []


def _tree_bytes(worker: psutil.Process) -> int:
    """Resident memory of a worker and of other programs that it started; its forks share its memory."""
    program = _program(worker)
    return sum(map(_resident, [worker, *(child for child in _started(worker) if _program(child) != program)]))


def _program(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0
