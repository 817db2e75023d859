"""C bundles, compiled and run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from quantune_mlir.hardware.targets import CToolchain

STRICT = "-Wall -Wextra -Werror -pedantic"
_HOW = "make test fetches it where it can, see tools/fetch_emulators.sh"


def require(c: CToolchain) -> None:
    """Skip the test where nothing compiles or runs C code for such a CPU."""
    for program in (c.compiler, "make", *c.emulator.split()[:1]):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}; {_HOW}")


def selftest(bundle: Path, build: Path, *settings: str) -> str:
    """What the self-test of a bundle says, compiled in the folder `build`; every byte must be as expected."""
    build.mkdir(exist_ok=True)
    command = ["make", "-f", str(bundle / "Makefile"), "selftest", f"WARNINGS={STRICT}"]
    command += ["CFLAGS=-O1 -DSELFTEST_TOLERANCE=0", *settings]
    environment = {name: value for name, value in os.environ.items() if name not in ("CC", "AR", "CFLAGS", "MAKEFLAGS")}
    done = subprocess.run(command, cwd=build, env=environment, text=True, timeout=120, stdout=PIPE, stderr=STDOUT)
    assert done.returncode == 0, done.stdout
    assert "PASSED" in done.stdout
    return done.stdout
