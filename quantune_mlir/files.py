"""Writing files so that an interrupted run leaves no half-written one."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import OutputError


def check_writable(path: Path) -> None:
    """Fail early if no file `path` can be made: its directory is missing or closed, or the path is a directory.

    Raises:
        OutputError: with the reason.
    """
    if path.is_dir():
        raise OutputError("is a directory", where=str(path), remedy="give the name of a file")
    probe_directory(path.parent, where=path)


def probe_directory(directory: Path, *, where: Path) -> None:
    """Makes and removes a nameless file in `directory`. Raises OutputError about `where` if that cannot be done."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise _unwritable(where, error) from error


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write a .npy as `write_atomically` does."""
    content = io.BytesIO()
    np.save(content, array)
    write_atomically(path, content.getvalue())


def default_mode(mode: int) -> int:
    """`mode` as the user's umask allows it; what tempfile makes is closed to everyone else."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, then rename. Raises OutputError if the place cannot be written."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, default_mode(0o666))
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot be written: {error.strerror}", where=str(path), remedy="choose another place")
