"""Writing files so that an interrupted run leaves no half-written one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from quantune_mlir.errors import OutputError


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, then rename. Raises OutputError if the place cannot be written."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"cannot be written: {error.strerror}", where=str(path)) from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
