"""Programs for 64-bit Arm, run by qemu: it tells whether a program is right, never how fast it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_LIBRARIES = Path("/usr/aarch64-linux-gnu")
_HOW = "make test fetches it where it can, see tools/fetch_emulators.sh"


def what_is_missing(runtime: Path) -> str | None:
    """Why nothing can be run here, if so."""
    if shutil.which("qemu-aarch64") is None:
        return f"no qemu-aarch64 (Debian: qemu-user); {_HOW}"
    if not (_LIBRARIES / "lib").is_dir():
        return f"no aarch64 C library in {_LIBRARIES} (Debian: libc6-arm64-cross, libstdc++6-arm64-cross); {_HOW}"
    if not _runner(runtime).is_file():
        return f"no aarch64 iree-run-module in {runtime} (QUANTUNE_AARCH64_RUNTIME names another place); {_HOW}"
    return None


def _runner(runtime: Path) -> Path:
    return runtime / "iree" / "_runtime_libs" / "iree-run-module"


class Emulator:
    """A 64-bit Arm CPU with all that qemu knows, sdot and smmla among it.

    `runtime`: the unpacked aarch64 wheel of iree-base-runtime. `directory`: where programs and arrays are put.
    """

    def __init__(self, runtime: Path, directory: Path) -> None:
        self._runtime = runtime
        self._directory = directory

    def run(self, program: bytes, inputs: Sequence[np.ndarray], results: int) -> list[np.ndarray]:
        """What @main of a .vmfb gives."""
        here = self._directory
        (here / "program.vmfb").write_bytes(program)
        for i, array in enumerate(inputs):
            np.save(here / f"x{i}.npy", array)
        command = ["qemu-aarch64", "-cpu", "max", str(_runner(self._runtime)), "--device=local-sync"]
        command += ["--module=program.vmfb", "--function=main"]
        command += [f"--input=@x{i}.npy" for i in range(len(inputs))]
        command += [f"--output=@y{i}.npy" for i in range(results)]
        environment = {"QEMU_LD_PREFIX": str(_LIBRARIES), **os.environ}
        done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return [np.load(here / f"y{i}.npy") for i in range(results)]
