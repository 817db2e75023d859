"""Commands run as their users run them, in a child of the child that counts."""

from __future__ import annotations

import os
import random
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from quantune_mlir.cli import entry
from quantune_mlir.files.processes import die_with_parent
from tools.fuzz.mutate import WORDS
from tools.fuzz.outcome import ContainedCrash
from tools.fuzz.server import SECONDS
from tools.fuzz.surface import Surface

_COMMANDS: Final = (
    *("quantize", "analyze", "evaluate", "bench", "compile", "tune", "run", "profile", "targets", "opt"),
    *("report", "compare", "cache", "doctor", "init"),
)
_OPTIONS: Final = (
    *("--calibration", "--output", "--data", "--plan", "--profile", "--tiles", "--target", "--json", "--input", "-o"),
    *("--samples", "--seed", "--batch", "--shape", "--max-drop", "--max-size", "--max-latency", "--min-sqnr"),
    *("--fp32-layers", "--keep-fp32", "--range", "--threads", "--seconds", "--variant", "--set", "--force"),
    *("--metric", "--pipeline", "--pass-pipeline", "--elide-constants", "--split-input-file", "--help", "--version"),
    *("merge", "make", "--not-an-option", "--config", "--preprocess", "--against", "--html"),
)
_VALUES: Final = (*WORDS, "0", "-1", "nan", "inf", "9" * 5000, "x=1x2", "=", "x=0", "/", ".", "a.npz", "/proc/self/mem")


def run_command(program: str, arguments: Sequence[str]) -> None:
    """Run a command as its users do. Raises AssertionError if it does not end as it should."""
    errors = os.memfd_create("stderr")
    child = os.fork()
    if not child:
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        os.dup2(errors, 2)
        sys.argv = [program, *arguments]
        try:
            (entry.quantune if program == "quantune" else entry.quantune_opt)()
        except SystemExit as ended:
            os._exit(ended.code if isinstance(ended.code, int) else 1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    said = os.pread(errors, 1 << 20, 0).decode(errors="replace")
    os.close(errors)
    code = os.waitstatus_to_exitcode(status)
    bad = next((word for word in ("Traceback (most recent", "internal error", "\x1b") if word in said), None)
    assert code >= 0 and bad is None and "SIGXCPU" not in said, f"status {code}, {bad}"
    if "crashed on it" in said:
        raise ContainedCrash
    if code:
        raise SystemExit(code)


def _seeds() -> list[bytes]:
    return [b"\n".join(part.encode() for part in (command, *_OPTIONS[:3])) for command in _COMMANDS]


def _mutated(data: bytes, rng: random.Random) -> bytes:
    words = [data.split(b"\n")[0].decode()]
    for _ in range(rng.randrange(7)):
        words.append(rng.choice(_OPTIONS) if rng.random() < 0.6 else rng.choice(_VALUES))
    return "\n".join(word.replace("\n", " ") for word in words).encode(errors="surrogateescape")


def _run(path: Path) -> None:
    command, *rest = path.read_bytes().decode(errors="surrogateescape").split("\n")
    os.chdir(path.parent)
    run_command("quantune-opt" if command == "opt" else "quantune", rest if command == "opt" else [command, *rest])


COMMAND_LINES: Final = (Surface("command line", ".txt", _seeds, _mutated, _run, 4),)
