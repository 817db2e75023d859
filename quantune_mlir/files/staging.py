"""What is being written, beside its place: `.NAME.RANDOM.quantune`, locked as long as its run lives.

A run that was killed leaves such files and directories behind; the next one that writes to the same place finds them
unlocked, and removes them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Final

if sys.platform != "win32":
    import fcntl

MARK: Final = ".quantune"
_LONGEST_STEM: Final = 230
"""Bytes; file systems allow 255 with what stands before and after."""


def prefix_of(name: str) -> str:
    """How the names of what is staged for `name` begin; long names are cut, as more has to follow."""
    return f".{os.fsdecode(os.fsencode(name)[:_LONGEST_STEM])}."


@contextlib.contextmanager
def staged_file(target: Path) -> Generator[tuple[BinaryIO, Path]]:
    """An open file beside `target`, and its path; gone in the end, unless it was renamed. Raises OSError."""
    remove_leftovers(target)
    while True:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=prefix_of(target.name), suffix=MARK)
        if not _lost(descriptor, Path(name)):
            break
        os.close(descriptor)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def staged_directory(target: Path) -> Generator[Path]:
    """An empty directory beside `target`; gone in the end, unless it was renamed. Raises OSError."""
    remove_leftovers(target)
    with locked_directory(target.parent, prefix_of(target.name), MARK) as staging:
        yield staging


@contextlib.contextmanager
def scratch_directory() -> Generator[Path]:
    """A directory for temporary files, and what killed runs left of theirs removed. Raises OSError."""
    parent = Path(tempfile.gettempdir())
    prefix = f"quantune-{os.getuid() if hasattr(os, 'getuid') else 0}-"
    for leftover in _unlocked(parent, prefix):
        shutil.rmtree(leftover, ignore_errors=True)
    with locked_directory(parent, prefix, MARK) as scratch:
        yield scratch


@contextlib.contextmanager
def locked_directory(parent: Path, prefix: str, suffix: str) -> Generator[Path]:
    """A new directory that others find locked; gone in the end, unless it was renamed."""
    while True:
        directory = Path(tempfile.mkdtemp(dir=parent, prefix=prefix, suffix=suffix))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(directory, os.O_RDONLY)
            if not _lost(descriptor, directory):
                break
            os.close(descriptor)
    try:
        yield directory
    finally:
        os.close(descriptor)
        shutil.rmtree(directory, ignore_errors=True)


def remove_leftovers(target: Path) -> None:
    """Remove what killed runs have staged for `target`."""
    for leftover in _unlocked(target.parent, prefix_of(target.name)):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                leftover.unlink()


def _unlocked(parent: Path, prefix: str) -> Iterator[Path]:
    """What stands in `parent` with our mark and nobody's lock."""
    with contextlib.suppress(OSError):
        names = [name for name in os.listdir(parent) if name.startswith(prefix) and name.endswith(MARK)]
        for path in (parent / name for name in names):
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
                try:
                    if _try_lock(descriptor):
                        yield path
                finally:
                    os.close(descriptor)


def _lost(descriptor: int, path: Path) -> bool:
    """Locks what was just made; whether another run had found it before that, and takes it for a leftover."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False  # This file system has no locks: nobody finds anything unlocked there.
    return not path.exists()


def _try_lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
