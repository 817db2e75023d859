<<<<<<< HEAD
=======
"""Runs each lit test of tests/lit as a test of pytest's. `lit -v tests/lit` runs them without pytest."""

>>>>>>> scaffold
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

<<<<<<< HEAD
LIT = Path(__file__).parent / "lit"


def test_lit() -> None:
    """All of tests/lit, as `lit tests/lit` runs them; QUANTUNE_LIT_FILTER chooses some."""
    command = [sys.executable, "-c", "from lit.main import main; main()", "-v", str(LIT)]
    chosen = os.environ.get("QUANTUNE_LIT_FILTER")
    result = subprocess.run([*command, f"--filter={chosen}"] if chosen else command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
=======
import pytest

LIT = Path(__file__).parent / "lit"
TIMEOUT_S = 60


@pytest.mark.parametrize(
    "name", [str(p.relative_to(LIT)) for p in sorted(LIT.rglob("*")) if p.suffix in (".mlir", ".test")]
)
def test_lit(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from lit.main import main; main()", "-v", str(LIT / name)]
    environment = os.environ | {"LIT_OUTPUT": str(tmp_path)}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
>>>>>>> scaffold
