"""Runs each lit test of tests/lit as a test of pytest's. `lit -v tests/lit` runs them without pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
