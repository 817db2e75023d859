"""Reading files that may be anything, and writing so that an interrupted run leaves no half-written one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quantune_mlir.errors import OutputError, QuantuneError
from quantune_mlir.files.staging import staged_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIB: Final = 1 << 20
_CHECK: Final = "check the path, and whether you may read it"
_KINDS: Final = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


def require_file(path: Path, error: type[QuantuneError]) -> int:
    """The size of a regular file, in bytes. Raises `error` if there is none: a pipe would keep us waiting."""
    try:
        status = path.stat()
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror}", where=str(path), remedy=_CHECK) from problem
    except ValueError as problem:
        raise error(f"cannot be read: {problem}", where=str(path), remedy=_CHECK) from problem
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for test, name in _KINDS if test(status.st_mode)), "a device")
        raise error(f"is {kind}, not a file", where=str(path), remedy="write its content to a file, and give that")
    return status.st_size


def read_file(path: Path, *, limit: int, error: type[QuantuneError]) -> bytes:
    """The content of a regular file of at most `limit` bytes. Raises `error` if it is none, or cannot be read."""
    size = require_file(path, error)
    if size > limit:
        raise error(f"has {size} bytes; at most {limit} are read", where=str(path), remedy="give a smaller file")
    try:
        with path.open("rb") as file:
            content = file.read(size + 1)  # Python takes memory for as much as is asked for.
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror}", where=str(path), remedy=_CHECK) from problem
    if len(content) > size:
        raise error("grows while it is read", where=str(path), remedy="wait until it is written")
    return content


def parts_of(path: Path) -> Iterator[bytes]:
    """The content of a file, a MiB at a time."""
    with path.open("rb") as file:
        while part := file.read(MIB):
            yield part


def file_digest(path: Path) -> str:
    """SHA-256 of what a file holds, hexadecimal."""
    found = hashlib.sha256()
    for part in parts_of(path):
        found.update(part)
    return found.hexdigest()


def check_writable(path: Path) -> None:
    """Fail early if no file `path` can be made: its directory is missing or closed, or the path is a directory.

    Raises:
        OutputError: with the reason.
    """
    try:
        if path.is_dir():
            raise OutputError("is a directory", where=str(path), remedy="give the name of a file")
        if not _is_special(path):
            with staged_file(Path(os.path.realpath(path))):
                pass
    except OSError as error:
        raise unwritable(path, error) from error


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write a .npy as `write_atomically` does."""
    import numpy as np

    content = io.BytesIO()
    np.save(content, array)
    write_atomically(path, content.getvalue())


def default_mode(mode: int) -> int:
    """`mode` as the user's umask allows it; what tempfile makes is closed to everyone else."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, then rename. A link stays one; a device or pipe is written to as it is.

    Raises:
        OutputError: the place cannot be written.
    """
    try:
        if _is_special(path):
            path.write_bytes(data)
            return
        target = Path(os.path.realpath(path))
        with staged_file(target) as (file, staging):
            file.write(data)
            file.flush()
            os.chmod(staging, default_mode(0o666))
            os.replace(staging, target)
    except OSError as error:
        raise unwritable(path, error) from error


def _is_special(path: Path) -> bool:
    """Whether there is something that is neither a file nor a directory, such as /dev/null."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
    return False


def unwritable(path: Path, error: OSError) -> OutputError:
    """What to say of a place that the system does not let us write."""
    return OutputError(f"cannot be written: {error.strerror}", where=str(path), remedy="choose another place")


def write_in_folder(path: Path, content: bytes) -> None:
    """Write a file as a whole, in a folder that need not be there yet. Raises OutputError if it cannot be."""
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=str(path.parent)) from error
    write_atomically(path, content)
