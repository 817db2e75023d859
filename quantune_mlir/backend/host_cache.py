"""What was measured on this machine, kept in the user's cache directory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from quantune_mlir._versions import installed_version
from quantune_mlir.backend.compile_cache import cache_directory
from quantune_mlir.errors import OutputError
from quantune_mlir.files.access import write_atomically
from quantune_mlir.hardware.host_isa import cpu_name, host_isa
from quantune_mlir.hardware.targets import Target

T = TypeVar("T")


def _as_it_is(value: Any) -> Any:
    return value


class HostCache(Generic[T]):
    """Values by key, in a file for each CPU, instruction set and version of the compiler."""

    def __init__(self, path: Path, read: Callable[[Any], T], write: Callable[[T], Any] = _as_it_is) -> None:
        """Open the cache in `path`; a missing or broken file is an empty cache.

        Args:
            path: a JSON file.
            read: makes a value of what JSON gave; raises ValueError or TypeError if it is none.
            write: makes of a value what JSON takes.
        """
        self._path = path
        self._write = write
        try:
            self._found: dict[str, T] = {key: read(value) for key, value in json.loads(path.read_text("utf-8")).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self._found = {}

    @staticmethod
    def of_host(
        kind: str, target: Target, read: Callable[[Any], T], write: Callable[[T], Any] = _as_it_is
    ) -> HostCache[T]:
        """The user's cache of what this machine gives for `target`; `kind` is the beginning of the file's name."""
        versions = [installed_version(name) for name in ("quantune-mlir", "iree-base-compiler", "iree-base-runtime")]
        made_of = json.dumps([cpu_name(), host_isa(), versions, target.model_dump()], sort_keys=True)
        name = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        return HostCache(cache_directory() / f"{kind}-{name}.json", read, write)

    def get(self, key: str) -> T | None:
        """A value, if known."""
        return self._found.get(_short(key))

    def add(self, found: Mapping[str, T]) -> None:
        """Keep what was measured. A cache that cannot be written is none: it is measured again next time."""
        self._found |= {_short(key): value for key, value in found.items()}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            stored = {key: self._write(value) for key, value in self._found.items()}
            write_atomically(self._path, (json.dumps(stored, indent=0) + "\n").encode())
        except (OSError, OutputError):
            pass


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]
