"""python -m tools.fuzz.faults [--times N] [--json FILE].

Faults while `quantune quantize` runs over three small networks in turn: killed at random moments, interrupted,
terminated, no room, no place for temporary files, nothing may be written, a clock that jumps, a damaged cache, many at
once. Afterwards the output is there whole, or not at all; nothing is left behind; no process goes on; nothing but one
message is said. The cache is warm, so that moments are those of the work and not of the compiler.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from quantune_mlir.workflow.artifacts import Artifacts
from tests.random_network import RandomNetwork
from tools.cpu_seconds import cpu_seconds
from tools.fuzz.counts import SECONDS_TAKEN, add, read, write

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
_SIGNALS: Final = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
_LONGEST: Final = 600


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz.faults")
    parser.add_argument("--times", type=int, default=10, help="how often each signal is sent")
    parser.add_argument("--only", default="", help="faults, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where the numbers are added up")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        networks = [_Network.made(name, Path(folder)) for name in ("digits", "detector", "random")]

        def signals(number: signal.Signals) -> Callable[[], str | None]:
            def fault() -> str | None:
                network = rng.choice(networks)
                return _signalled(network, number, rng.uniform(0, network.seconds))

            return fault

        faults: dict[str, tuple[int, Callable[[], str | None]]] = {
            **{number.name: (arguments.times, signals(number)) for number in _SIGNALS},
            "files may not grow": (3, lambda: _limited(networks[0], rng.choice([0, 1 << 12, 1 << 16]))),
            "no TMPDIR": (1, lambda: _no_temporary_files(networks[0])),
            "nothing may be written": (1, lambda: _read_only(networks[0])),
            "the clock jumps": (3, lambda: _clock_jumps(networks[0], rng)),
            "the cache is damaged": (3, lambda: _damaged_cache(networks[0], rng)),
            "ten at once": (1, lambda: _at_once(networks[0])),
        }
        for name, (times, fault) in faults.items():
            if arguments.only and name not in arguments.only.split(","):
                continue
            for _ in range(times):
                start, problem = cpu_seconds(), fault()
                row = {"tried": 1, "failed": int(problem is not None)}
                failed += problem is not None
                if problem is not None:
                    print(f"{name}: {problem}", flush=True)
                if arguments.json:
                    taken = round(cpu_seconds() - start, 2)
                    write(arguments.json, add(read(arguments.json), {name: {**row, SECONDS_TAKEN: taken}}))
    sys.exit(bool(failed))


@dataclass
class _Network:
    """A model, its samples, and how long a run takes whose kernels are all in the cache."""

    model: Path
    samples: Path
    seconds: float = 0.0

    @staticmethod
    def made(name: str, folder: Path) -> _Network:
        if name == "random":
            found = _Network(folder / "random.onnx", folder / "random.npz")
            found.model.write_bytes(RandomNetwork(3).model().SerializeToString())
            np.savez(found.samples, x=np.random.default_rng(0).standard_normal((8, 3, 8, 8)).astype(np.float32))
        else:
            found = _Network(_DATA / f"{name}.onnx", _DATA / f"{name}_calibration.npz")
        for _ in range(2):  # The first fills the cache.
            start = time.monotonic()
            with tempfile.TemporaryDirectory() as place:
                (Path(place) / "tmp").mkdir()
                process = found.start(Path(place) / "out")
                said = process.communicate(timeout=_LONGEST)[1]
                if process.returncode:
                    sys.exit(f"{name} cannot be quantized: {said}")
            found.seconds = time.monotonic() - start
        return found

    def command(self, output: Path) -> list[str]:
        quantune = str(Path(sys.executable).parent / "quantune")
        samples = ["--calibration", str(self.samples), "--samples", "8"]
        return [quantune, "quantize", str(self.model), *samples, "--output", str(output)]

    def start(self, output: Path, before: Callable[[], None] | None = None, **changes: str) -> subprocess.Popen[str]:
        environment = os.environ | {"TMPDIR": str(output.parent / "tmp")} | changes
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        return subprocess.Popen(
            self.command(output), env=environment, stdout=null, stderr=pipe, text=True, preexec_fn=before
        )


def _is_whole(output: Path) -> bool:
    return set(os.listdir(output)) >= _WHOLE


def _signalled(network: _Network, number: signal.Signals, after: float) -> str | None:
    """A run that gets a signal, then one that is left alone; what is wrong, if anything."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        (Path(folder) / "tmp").mkdir()
        process = network.start(output)
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
        if output.exists() and not _is_whole(output):
            return f"a partial output: {sorted(os.listdir(output))}"
        if number == signal.SIGKILL and (
            output.exists() or os.listdir(folder) != ["tmp"] or os.listdir(f"{folder}/tmp")
        ):
            network.start(output).communicate(timeout=_LONGEST)  # the next run is to clean up
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


def _limited(network: _Network, size: int) -> str | None:
    """As on a full disk: no file may grow beyond `size` bytes."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tmp").mkdir()

        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        process = network.start(Path(folder) / "out", limit, QUANTUNE_CACHE=f"{folder}/tmp")
        return _refused(process, Path(folder) / "out")


def _refused(process: subprocess.Popen[str], output: Path) -> str | None:
    _, said = process.communicate(timeout=_LONGEST)
    good = process.returncode == 1 and not output.exists() and "quantune: error: " in said and "Traceback" not in said
    return None if good else f"status {process.returncode}: {said.strip()[-300:]}"


def _no_temporary_files(network: _Network) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        process = network.start(Path(folder) / "out", TMPDIR=str(Path(folder) / "nowhere"))
        _, said = process.communicate(timeout=_LONGEST)
        good = process.returncode == 0 or (process.returncode == 1 and "TMPDIR" in said)
        return None if good else said.strip()[-300:]


def _read_only(network: _Network) -> str | None:
    """An output below a folder of the system that nobody writes to."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tmp").mkdir()
        process = network.start(Path("/proc/sys/out"), TMPDIR=f"{folder}/tmp")
        return _refused(process, Path("/proc/sys/out"))


def _clock_jumps(network: _Network, rng: random.Random) -> str | None:
    """A clock that goes back, or years ahead, at each look."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tmp").mkdir()
        (Path(folder) / "python").mkdir()
        jumps = f"import random, time\nreal, rng = time.time, random.Random({rng.randrange(1 << 30)})\n"
        jumps += "time.time = lambda: real() + rng.choice([-1e9, -3600.0, 0.0, 3600.0, 2e9])\n"
        (Path(folder) / "python" / "sitecustomize.py").write_text(jumps, encoding="utf-8")
        return _whole(network, Path(folder) / "out", PYTHONPATH=f"{folder}/python")


def _damaged_cache(network: _Network, rng: random.Random) -> str | None:
    """Entries cut short, with other bytes, empty, or directories."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tmp").mkdir()
        cache = Path(folder) / "cache"
        problem = _whole(network, Path(folder) / "first", QUANTUNE_CACHE=str(cache))
        for path in [path for path in cache.rglob("*") if path.is_file()]:
            content = bytearray(path.read_bytes())
            match rng.randrange(4):
                case 0:
                    path.write_bytes(content[: len(content) // 2])
                case 1:
                    content[rng.randrange(len(content))] ^= 1
                    path.write_bytes(content)
                case 2:
                    path.write_bytes(b"")
                case _:
                    path.unlink()
                    path.mkdir()
        problem = problem or _whole(network, Path(folder) / "second", QUANTUNE_CACHE=str(cache))
        if problem is not None:
            return problem
        same = (Path(folder) / "first" / "model.vmfb").read_bytes() == (
            Path(folder) / "second" / "model.vmfb"
        ).read_bytes()
        return None if same else "another program"


def _whole(network: _Network, output: Path, **changes: str) -> str | None:
    process = network.start(output, None, **changes)
    _, said = process.communicate(timeout=_LONGEST)
    good = process.returncode == 0 and "Traceback" not in said and _is_whole(output)
    return None if good else f"status {process.returncode}: {said.strip()[-300:]}"


def _at_once(network: _Network) -> str | None:
    """One of ten runs with one output gets it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tmp").mkdir()
        output = Path(folder) / "out"
        processes = [network.start(output) for _ in range(10)]
        said = [process.communicate(timeout=10 * _LONGEST)[1] for process in processes]
        statuses = sorted(process.returncode for process in processes)
        if statuses != [0] + [1] * 9 or any("Traceback" in text or "internal error" in text for text in said):
            return f"statuses {statuses}: {said[:2]}"
        return None if _is_whole(output) else "a partial output"


if __name__ == "__main__":
    main()
