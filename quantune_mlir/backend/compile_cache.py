"""What was compiled, by content, in the user's cache directory.

An entry is a file named after its key; it begins with a checksum over key and content, so that one that was cut short
or altered is found out, and made again. Entries are written beside their place and renamed: any number of processes may
read, write and be killed at the same time. What was used least recently goes when the cache becomes larger than its
limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from threading import Lock
from typing import Final

import platformdirs

from quantune_mlir.errors import OutputError, QuantuneError
from quantune_mlir.files.staging import MARK, staged_file

CACHE_VARIABLE: Final = "QUANTUNE_CACHE"
"""Names another directory for the cache than the user's own."""
LIMIT_VARIABLE: Final = "QUANTUNE_CACHE_MIB"
"""How large the cache may become, in MiB."""
DEFAULT_LIMIT_MIB: Final = 2048

_FOLDER: Final = "compiled"
_CHECKSUM_BYTES: Final = hashlib.sha256().digest_size
_BLOCK: Final = 4096
_SHARE: Final = 16
"""The cache is looked through each time that a process has written this part of the limit."""
_LARGEST_SHARE: Final = 4
"""What takes more than this part of the limit is not kept."""
_LEFTOVER_SECONDS: Final = 3600

Content = bytes | mmap | memoryview

_off = False


@dataclass(frozen=True)
class Usage:
    """How many entries there are, and the bytes that they take on disk."""

    entries: int
    bytes: int


@dataclass(frozen=True)
class _Entry:
    path: Path
    used: float
    bytes: int


class CompileCache:
    """Contents by key, in a directory of at most `limit` bytes. What cannot be written is not kept."""

    def __init__(self, directory: Path, limit: int) -> None:
        self.directory = directory
        self.limit = limit
        self._unchecked = limit  # The first entry written has the cache looked through.

    def get(self, key: str) -> mmap | None:
        """The content of an entry, in memory of its own; None if there is none, or it is not what was written."""
        path = self._path(key)
        _await([path])
        try:
            with path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size - _CHECKSUM_BYTES
                checksum = file.read(_CHECKSUM_BYTES)
                if size > 0:
                    content = mmap(-1, size)
                    if file.readinto(content) == size and checksum == _checksum(key, content):
                        os.utime(path)
                        return content
            path.unlink()
        except OSError:
            pass
        return None

    def put_later(self, key: str, make: Callable[[], Content]) -> None:
        """Keep an entry that a thread makes and writes, of what does not change any more.

        Who asks this process for it waits; and the process ends after that.
        """
        with _SUBMITTING:
            pool = _writers.get(os.getpid()) or _writers.setdefault(os.getpid(), ThreadPoolExecutor(1))
        _coming[self._path(key)] = pool.submit(lambda: self.put(key, make()))

    def put(self, key: str, content: Content) -> None:
        """Keep an entry."""
        self.put_parts(key, [content], memoryview(content).nbytes)

    def put_parts(self, key: str, parts: Iterable[Content], size: int) -> None:
        """Keep an entry of so many bytes, given one part after the other."""
        if not 0 < size <= self.limit // _LARGEST_SHARE:
            return
        found = hashlib.sha256(key.encode())
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with staged_file(path) as (file, staged):
                file.write(bytes(_CHECKSUM_BYTES))
                for part in parts:
                    found.update(part)
                    file.write(part)
                file.seek(0)
                file.write(found.digest())
                file.flush()
                os.replace(staged, path)
        self._unchecked += _on_disk(size)
        if self._unchecked > self.limit // _SHARE:
            self._unchecked = 0
            self.trim()

    def trim(self) -> None:
        """Remove what killed processes left, and what was used least recently, until there is room for more."""
        entries = sorted(self._entries(leftovers=True), key=lambda entry: entry.used)
        taken = sum(entry.bytes for entry in entries)
        for entry in entries:
            if taken <= self.limit - self.limit // _SHARE:
                break
            with contextlib.suppress(OSError):
                entry.path.unlink()
            taken -= entry.bytes

    def usage(self) -> Usage:
        """What there is now."""
        _await(list(_coming))
        sizes = [entry.bytes for entry in self._entries()]
        return Usage(len(sizes), sum(sizes))

    def clear(self) -> None:
        """Remove all entries. Raises OutputError if they cannot be removed."""
        _await(list(_coming))
        try:
            if self.directory.exists():
                shutil.rmtree(self.directory)
        except OSError as error:
            raise OutputError(f"cannot be removed: {error.strerror}", where=error.filename) from error

    def _path(self, key: str) -> Path:
        return self.directory / key[:2] / key

    def _entries(self, *, leftovers: bool = False) -> Iterable[_Entry]:
        """All entries; on the way, files that were never finished are removed."""
        with contextlib.suppress(OSError):
            for folder in list(os.scandir(self.directory)):
                for file in list(os.scandir(folder)):
                    with contextlib.suppress(OSError):
                        status = file.stat()
                        if not file.name.endswith(MARK):
                            yield _Entry(Path(file.path), status.st_mtime, _on_disk(status.st_size))
                        elif leftovers and time.time() - status.st_mtime > _LEFTOVER_SECONDS:
                            os.unlink(file.path)


def cache_directory() -> Path:
    """Where the user's cache is."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_cache_path("quantune")


def user_cache() -> CompileCache:
    """What was compiled for the user. Raises QuantuneError if its limit is no number."""
    limit = os.environ.get(LIMIT_VARIABLE, str(DEFAULT_LIMIT_MIB))
    if not limit.isdecimal():
        raise QuantuneError(f"{limit!r} is no number of MiB", where=LIMIT_VARIABLE, remedy="give one, such as 2048")
    return CompileCache(cache_directory() / _FOLDER, int(limit) << 20)


def cache_in_use() -> CompileCache | None:
    """That of the user; None where nothing is to be read or kept."""
    return None if _off else _opened(cache_directory(), os.environ.get(LIMIT_VARIABLE))


@contextmanager
def without_cache() -> Generator[None]:
    """Compiles everything anew meanwhile."""
    global _off
    before, _off = _off, True
    try:
        yield
    finally:
        _off = before


def digest(*parts: Content | str) -> str:
    """A key for what depends on `parts`, in this order."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(memoryview(data).nbytes.to_bytes(8, "little"))
        found.update(data)
    return found.hexdigest()


_writers: Final[dict[int, ThreadPoolExecutor]] = {}
"""By process: a fork of one has no threads."""
_SUBMITTING: Final = Lock()
_coming: Final[dict[Path, Future[None]]] = {}
"""What `put_later` writes, or has written."""


def _await(paths: Iterable[Path]) -> None:
    for path in paths:
        if (coming := _coming.pop(path, None)) is not None:
            coming.result()


_caches: dict[tuple[Path, str | None], CompileCache] = {}


def _opened(directory: Path, limit: str | None) -> CompileCache:
    """One for each place: it knows how much this process wrote."""
    return _caches.setdefault((directory, limit), user_cache())


def _checksum(key: str, content: Content) -> bytes:
    found = hashlib.sha256(key.encode())
    found.update(content)
    return found.digest()


def _on_disk(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
