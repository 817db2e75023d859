"""CPU time, programs included that were started and have not ended yet."""

from __future__ import annotations

from contextlib import suppress

import psutil


def cpu_seconds() -> float:
    """That this process and all that it started have taken."""
    total = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])  # Those of its children that have ended among them.
    return total
