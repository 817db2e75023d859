"""python -m tools.fuzz.faults [--times N] [--json FILE].

Faults while `quantune quantize` runs: killed at random moments, interrupted, terminated, no room, no place for
temporary files, many at once. Afterwards the output is there whole, or not at all; nothing is left behind; no process
goes on; nothing but one message is said.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from quantune_mlir.workflow.artifacts import Artifacts

_DATA: Final = Path(__file__).parents[2] / "tests" / "data"
_WHOLE: Final = {
    "fp32.mlir",
    "mixed.mlir",
    "model.vmfb",
    "plan.yaml",
    "profile.npz",
    "sensitivity.yaml",
    "summary.json",
    "report.html",
}
_LONGEST: Final = 300


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz.faults")
    parser.add_argument("--times", type=int, default=10, help="how often each signal is sent")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    seconds = _duration()
    rows: dict[str, dict[str, int]] = {}

    def tried(name: str, times: int, fault: Callable[[], str | None]) -> None:
        problems = [problem for _ in range(times) if (problem := fault()) is not None]
        rows[name] = {"tried": times, "failed": len(problems)}
        print(f"{name:28s} tried {times}, failed {len(problems)} {problems[:3]}", flush=True)

    tried("SIGKILL", arguments.times, lambda: _signalled(signal.SIGKILL, rng.uniform(0, seconds)))
    tried("SIGINT", arguments.times, lambda: _signalled(signal.SIGINT, rng.uniform(0, seconds)))
    tried("SIGTERM", arguments.times, lambda: _signalled(signal.SIGTERM, rng.uniform(0, seconds)))
    tried("files may not grow", 3, lambda: _limited(rng.choice([0, 1 << 12, 1 << 16])))
    tried("no TMPDIR", 1, _no_temporary_files)
    tried("ten at once", 1, _at_once)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(row["failed"] for row in rows.values()))


def _command(output: Path) -> list[str]:
    quantune = str(Path(sys.executable).parent / "quantune")
    samples = str(_DATA / "digits_calibration.npz")
    return [quantune, "quantize", str(_DATA / "digits.onnx"), "--calibration", samples, "--output", str(output)]


def _start(output: Path, **changes: str) -> subprocess.Popen[str]:
    environment = os.environ | {"TMPDIR": str(output.parent / "tmp")} | changes
    return subprocess.Popen(
        _command(output), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _duration() -> float:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tmp").mkdir()
        start = time.monotonic()
        _start(Path(folder) / "out").communicate(timeout=_LONGEST)
        return time.monotonic() - start


def _signalled(number: signal.Signals, after: float) -> str | None:
    """A run that gets a signal, then one that is left alone; what is wrong, if anything."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        (Path(folder) / "tmp").mkdir()
        process = _start(output)
        time.sleep(after)
        workers = _descendants(process.pid)
        process.send_signal(number)
        _, said = process.communicate(timeout=_LONGEST)
        time.sleep(0.5)
        alive = [pid for pid in workers if _runs(pid)]
        if alive:
            return f"{len(alive)} processes go on"
        if "Traceback" in said or "internal error" in said:
            return said.strip()[-300:]
        if output.exists() and set(os.listdir(output)) != _WHOLE:
            return f"a partial output: {sorted(os.listdir(output))}"
        if number == signal.SIGKILL:  # the next run is to clean up
            _start(output).communicate(timeout=_LONGEST)
            Artifacts.open(output)
        left = [name for name in (*os.listdir(folder), *os.listdir(Path(folder) / "tmp")) if name not in ("out", "tmp")]
        return f"left behind: {left}" if left else None


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []
    return children + [found for child in children for found in _descendants(child)]


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


def _limited(size: int) -> str | None:
    """As on a full disk: no file may grow beyond `size` bytes."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tmp").mkdir()
        output = Path(folder) / "out"

        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        environment = os.environ | {"TMPDIR": str(Path(folder) / "tmp"), "QUANTUNE_CACHE": str(Path(folder) / "tmp")}
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            _command(output), env=environment, stdout=pipe, stderr=pipe, text=True, preexec_fn=limit
        )
        _, said = process.communicate(timeout=_LONGEST)
        if process.returncode != 1 or output.exists() or "quantune: error: " not in said:
            return f"status {process.returncode}: {said.strip()[-300:]}"
        return None


def _no_temporary_files() -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        process = _start(Path(folder) / "out", TMPDIR=str(Path(folder) / "nowhere"))
        _, said = process.communicate(timeout=_LONGEST)
        good = process.returncode == 0 or (process.returncode == 1 and "TMPDIR" in said)
        return None if good else said.strip()[-300:]


def _at_once() -> str | None:
    """One of ten runs with one output gets it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tmp").mkdir()
        output = Path(folder) / "out"
        processes = [_start(output) for _ in range(10)]
        said = [process.communicate(timeout=10 * _LONGEST)[1] for process in processes]
        statuses = sorted(process.returncode for process in processes)
        if statuses != [0] + [1] * 9 or any("Traceback" in text or "internal error" in text for text in said):
            return f"statuses {statuses}: {said[:2]}"
        return None if set(os.listdir(output)) == _WHOLE else "a partial output"


if __name__ == "__main__":
    main()
