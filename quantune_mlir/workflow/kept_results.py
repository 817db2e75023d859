"""What whole commands gave, kept by content in the user's cache: the same command again writes the same files.

A key tells all that the files follow from: the command's parameters, the content of each file or folder that they name,
our code, the versions of what it calls, and this machine's CPU. What cannot be told so is not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quantune_mlir.backend.compile_cache import Content, cache_in_use, digest
from quantune_mlir.files.access import MIB, file_digest, parts_of
from quantune_mlir.workflow.made_with import made_with

if TYPE_CHECKING:
    from quantune_mlir.workflow.quantization import Quantization

_LARGEST: Final = 512 * MIB
"""Of more in the files that a command names nothing is kept: reading all may take longer than reading a few of them."""
_MOST_FILES: Final = 10_000
_FILE_OF_CONSTANT: Final = re.compile(r"[^=]+=(?P<file>.+\.npy)", re.DOTALL)

_State = tuple[int, int, int, int]
"""Inode, bytes, times of the last change to content and status."""


class _NotKeptError(Exception):
    """What a command gives does not follow from what can be told of its parameters."""


@dataclass(frozen=True)
class KeptResult:
    """What a command gave.

    Attributes:
        files: what its output directory holds, by path in there.
        notes: what it told on stderr.
        outcome: what it told on stdout.
    """

    files: Mapping[str, Content]
    notes: Sequence[str]
    outcome: Sequence[str]

    def write(self, directory: Path) -> None:
        """Write the files to a directory that is empty."""
        for name, content in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@dataclass(frozen=True)
class ResultKey:
    """The key of what a command gives, and what it was made from.

    Attributes:
        text: the key.
        values: those of the parameters.
        digests: SHA-256 of each file that they name.
        states: of the same files, before they were read.
    """

    text: str
    values: Sequence[Any]
    digests: Mapping[Path, str]
    states: Mapping[Path, _State]

    @staticmethod
    def of(parameters: Mapping[str, Any], arguments: Sequence[str]) -> ResultKey | None:
        """The key of what a command gives; None where there is no cache, or too much to read.

        Args:
            parameters: those that shape the result, by name.
            arguments: how they were given, which the result tells, too.
        """
        if cache_in_use() is None:
            return None
        values = list(parameters.values())
        try:
            told = [(name, _told(value)) for name, value in sorted(parameters.items())]
            states = _states(values)
            digests = {file: file_digest(file) for file in states}
        except (OSError, ValueError, _NotKeptError):
            return None
        files = [(str(file.absolute()), content) for file, content in digests.items()]
        text = digest("result", json.dumps([told, list(arguments), files]), made_with())
        return ResultKey(text, values, digests, states)

    def is_repeatable(self, quantization: Quantization, model: Path) -> bool:
        """Whether the same model file and parameters give the same again, and no file has changed since.

        Not if more files than that belong to the model, if costs were measured, or if candidates were tried, which are
        told on the way.
        """
        whole = self.digests.get(model) == quantization.model.hash
        return whole and not quantization.trials and not quantization.policy.measures and self._unchanged()

    def _unchanged(self) -> bool:
        try:
            return _states(self.values) == self.states
        except (OSError, ValueError, _NotKeptError):
            return False


def find_result(key: str) -> KeptResult | None:
    """What was kept; None if not all is there."""
    cache = cache_in_use()
    told, files = (cache.get(key), cache.get(_of_files(key))) if cache else (None, None)
    if told is None or files is None:
        return None
    head = json.loads(bytes(told))
    return KeptResult(dict(_divided(files)), head["notes"], head["outcome"])


def keep_files(key: str, directory: Path) -> None:
    """Keep the files of a command's output directory, one part after the other: they may be large."""
    cache = cache_in_use()
    if cache is not None:
        paths = sorted(path for path in directory.rglob("*") if path.is_file())
        sizes = {path.relative_to(directory).as_posix(): path.stat().st_size for path in paths}
        head = json.dumps(sizes).encode() + b"\n"
        parts = chain([head], (part for path in paths for part in parts_of(path)))
        cache.put_parts(_of_files(key), parts, len(head) + sum(sizes.values()))


def keep_told(key: str, notes: Sequence[str], outcome: Sequence[str]) -> None:
    """Keep what a command told, after its files."""
    cache = cache_in_use()
    if cache is not None:
        cache.put(key, json.dumps({"notes": list(notes), "outcome": list(outcome)}).encode())


def _of_files(key: str) -> str:
    return digest("files", key)


def _divided(files: mmap) -> Iterator[tuple[str, Content]]:
    place = files.find(b"\n") + 1
    whole = memoryview(files)
    for name, size in json.loads(bytes(whole[:place])).items():
        yield name, whole[place : place + size]
        place += size


def _told(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, tuple):
        return [_told(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise _NotKeptError


def _states(values: Iterable[Any]) -> dict[Path, _State]:
    """The files that parameters name, and by what it shows that one was changed."""
    statuses = {file: file.stat() for value in values for path in _paths(value) for file in _files(path)}
    if sum(status.st_size for status in statuses.values()) > _LARGEST:
        raise _NotKeptError
    return {file: (st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns) for file, st in statuses.items()}


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, tuple):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _paths(each)
    elif isinstance(value, str):
        constant = _FILE_OF_CONSTANT.fullmatch(value)
        path = Path(value if constant is None else constant["file"])
        if path.is_file():
            yield path


def _files(path: Path) -> list[Path]:
    """The files at a path, which has to exist. Nothing else is looked into: a pipe can be read once."""
    if path.is_dir():
        found = sorted(islice(path.rglob("*"), _MOST_FILES + 1))
        if len(found) <= _MOST_FILES and all(each.is_file() or each.is_dir() for each in found):
            return [each for each in found if each.is_file()]
    elif path.is_file():
        return [path]
    raise _NotKeptError
