"""What child processes take."""

from __future__ import annotations

import sys

import pytest

from quantune_mlir.files.processes import peak_mib, run_child


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_the_largest_child_is_told_beside_this_process() -> None:
    for size in (600, 1):
        assert run_child([sys.executable, "-c", f"bytearray({size} << 20)"]).returncode == 0
    found = peak_mib()
    assert found["compiler"] >= 600 and found["process"] > 1
