"""How long the stages of a quantization take: on the clock, and of the processor, programs that it starts included."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.cpu_seconds import cpu_seconds

COMPILE = "compile"
"""What the names of stages begin with that compile programs."""


@dataclass
class Stages:
    """Seconds by stage. It is a `Progress`, so that our own quantizer tells it of its stages."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    cpu_seconds: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Generator[Callable[[], None]]:
        """A stage; one that comes again is added up."""
        start, cpu = time.perf_counter(), cpu_seconds()
        yield lambda: None
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        self.cpu_seconds[name] = self.cpu_seconds.get(name, 0.0) + cpu_seconds() - cpu


def peak_kib() -> int:
    """The most memory that this process ever had resident."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])
