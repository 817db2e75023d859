"""Signals that come at an inconvenient moment."""

from __future__ import annotations

import subprocess
import sys

IN_A_DESTRUCTOR = """
import signal, time
from quantune_mlir.cli.stopping import reports_stop

class Gone:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

with reports_stop("program"):
    Gone()
    time.sleep(20)
"""


def test_a_signal_in_a_destructor_ends_the_run_like_any_other() -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_DESTRUCTOR], capture_output=True, text=True, timeout=15)
    assert done.returncode == 130
    assert done.stderr == "program: interrupted; nothing was written\n"
