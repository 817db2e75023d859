"""Arm's converter from TensorFlow Lite to TOSA, in a child process with limits: it may crash on what it is given."""

from __future__ import annotations

import importlib.util
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from quantune_mlir.errors import ModelError
from quantune_mlir.files.processes import Limits, run_child

_PACKAGE: Final = "tosa_converter_for_tflite"
_MEMORY: Final = 8 << 30
_MEMORY_PER_BYTE: Final = 16
_CPU_SECONDS: Final = 600
_MOST_WRITTEN: Final = 256 << 20
_WRITTEN_PER_BYTE: Final = 4
_COMPLAINT: Final = re.compile(r"error: (.*)")
_MOST_COMPLAINTS: Final = 3
_CRASHES: Final = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
"""Not those that end what takes too long or too much."""
_REFUSAL: Final = "Conversion failed"
_REMEDY: Final = "see docs/importing.md for what it takes; or convert the model to ONNX, with the package tf2onnx"


class RefusedError(ModelError):
    """The converter refuses the model, for some operator that it need not name."""

    def __init__(self, complaints: Sequence[str], where: str) -> None:
        super().__init__(
            f"the TFLite converter refuses the model: {'; '.join(complaints) or 'it does not say why'}",
            where=where,
            remedy=_REMEDY,
        )
        self.complaints = tuple(complaints)


def is_installed() -> bool:
    """Whether there is a converter."""
    return importlib.util.find_spec(_PACKAGE) is not None


def require_installed(where: str) -> None:
    """Raises ModelError, with what to install, if there is no converter."""
    if not is_installed():
        raise ModelError(
            "reading TensorFlow Lite models needs Arm's converter, which is not installed",
            where=where,
            remedy="install it: pip install 'quantune-mlir[tflite]'",
        )


def converted(content: bytes | bytearray, where: str) -> bytes:
    """The MLIR bytecode that the converter makes of a model; ops carry the names of tensors as locations.

    Raises:
        RefusedError: it refuses the model.
        ModelError: it is not installed, crashes, or takes too much memory or time.
    """
    require_installed(where)
    limits = Limits(
        memory=_MEMORY + _MEMORY_PER_BYTE * len(content),
        cpu_seconds=_CPU_SECONDS,
        file_size=_MOST_WRITTEN + _WRITTEN_PER_BYTE * len(content),
    )
    with tempfile.TemporaryDirectory(prefix="quantune-tflite-") as name:
        folder = Path(name)
        (folder / "in").write_bytes(content)
        command = [sys.executable, "-m", f"{_PACKAGE}.cli", "in", "--bytecode", "--emit-debug-info", "-o", "out"]
        done = run_child(command, folder=folder, limits=limits)
        result = folder / "out"
        if done.returncode == 0 and result.is_file():
            return result.read_bytes()
    told = done.stderr.decode(errors="replace")
    if _REFUSAL in told:
        raise RefusedError(list(dict.fromkeys(_COMPLAINT.findall(told)))[:_MOST_COMPLAINTS], where)
    if -done.returncode in _CRASHES:
        raise RefusedError([f"it crashes over it (signal {-done.returncode}); the file may be broken"], where)
    status = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
    raise ModelError(f"the TFLite converter crashed ({status}): the file may be broken", where=where, remedy=_REMEDY)
