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


WHILE_IMPORTING = """
import signal, sys
from quantune_mlir.cli import entry

print(*(name for name in sys.modules if name.startswith("quantune_mlir")), flush=True)

class Finder:
    @staticmethod
    def find_spec(name, path, target=None):
        if name == "quantune_mlir.cli.apart":
            signal.raise_signal(signal.SIGTERM)

sys.meta_path.insert(0, Finder)
entry.quantune()
"""


def test_signals_are_heeded_before_anything_large_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", WHILE_IMPORTING], capture_output=True, text=True, timeout=15)
    assert (done.returncode, done.stderr) == (143, "quantune: terminated; nothing was written\n")
    modules = {"quantune_mlir", "quantune_mlir.cli", "quantune_mlir.cli.entry", "quantune_mlir.cli.stopping"}
    assert set(done.stdout.split()) == modules
