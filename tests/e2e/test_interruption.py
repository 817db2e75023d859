"""A signal ends a quantization, and all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import DIGITS


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds child processes in /proc")
@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_interrupted(tmp_path: Path, number: signal.Signals, status: int, word: str) -> None:
    command = [sys.executable, "-m", "quantune_mlir.cli.quantune", "quantize", str(DIGITS / "digits.onnx")]
    arguments = [
        "--calibration",
        str(DIGITS / "digits_calibration.npz"),
        "--output",
        str(tmp_path / "out"),
        "--no-cache",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [*command, *arguments], env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts
    )
    compilers = _await_children(process.pid)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in message
    assert message == f"quantune: {word}; nothing was written\n"
    assert list(tmp_path.iterdir()) == []
    assert not _still_running(compilers)


def _heed_interrupts() -> None:
    """Shells start background jobs, and so perhaps this test run, with SIGINT ignored; children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _await_children(pid: int) -> list[int]:
    """The processes below a process, once iree-compile is among them: it does its work in one, that in another."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        workers = _children(pid)
        compilers = [child for worker in workers for child in _children(worker)]
        if compilers:
            return workers + compilers
        time.sleep(0.02)
    raise AssertionError("no compiler was started")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _still_running(processes: list[int]) -> list[int]:
    """Those that do not end in good time: a process that was killed takes a moment."""
    deadline = time.monotonic() + 5
    while (running := [pid for pid in processes if _is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running


def _is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
