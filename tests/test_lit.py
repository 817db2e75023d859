from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LIT = Path(__file__).parent / "lit"


def test_lit() -> None:
    """All of tests/lit, as `lit tests/lit` runs them; QUANTUNE_LIT_FILTER chooses some."""
    command = [sys.executable, "-c", "from lit.main import main; main()", "-v", str(LIT)]
    chosen = os.environ.get("QUANTUNE_LIT_FILTER")
    result = subprocess.run([*command, f"--filter={chosen}"] if chosen else command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
