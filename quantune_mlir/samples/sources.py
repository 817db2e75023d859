"""Arrays that are read row by row, forwards, from an .npz file, from .npy files or from memory."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError
from quantune_mlir.files.access import require_file
from quantune_mlir.numerics.npz import BROKEN, read_header

_CHUNK: Final = 1 << 18


class ArraySource(Protocol):
    """An array whose rows can be read in ascending order, as often as wanted."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Dtype in native byte order."""
        ...

    def read(self, starts: Iterable[int], rows: int) -> Iterator[tuple[int, NDArray[np.generic]]]:
        """For each of the ascending `starts`: it, and the `rows` rows from there on, in memory of their own."""
        ...


Openers = Mapping[str, Callable[[], ArraySource]]


def find_sources(path: Path | str | Mapping[str, NDArray[np.generic]]) -> Openers:
    """The arrays of an .npz file, of a folder of .npy files, or in memory, by name, each opened on demand.

    Raises:
        DataError: nothing is there, or it is not what its name says; an opener raises it for a broken array.
    """
    if isinstance(path, Mapping):
        return {name: partial(MemorySource, np.asarray(array)) for name, array in path.items()}
    path = Path(path)
    if _is_folder(path):
        files = sorted(path.glob("*.npy"))
        return {file.stem: partial(StreamSource.open, _File(file), str(file)) for file in files}
    require_file(path, DataError)
    try:
        with path.open("rb") as file:
            magic = file.read(6)
    except OSError as error:
        raise DataError(f"the samples cannot be read: {error.strerror}", where=str(path)) from error
    if magic.startswith(b"\x93NUMPY"):
        raise DataError(
            "this is a single .npy array",
            where=str(path),
            remedy=f"save it under the input's name: numpy.savez('samples.npz', NAME=numpy.load('{path.name}'))",
        )
    return _find_in_npz(path, looks_like_zip=magic.startswith(b"PK"))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from error


def _find_in_npz(path: Path, *, looks_like_zip: bool) -> Openers:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.namelist() if member.endswith(".npy")]
    except BROKEN as error:
        what = "the .npz file is truncated or corrupt" if looks_like_zip else "this is not an .npz file"
        raise DataError(
            f"{what}: {error}", where=str(path), remedy="save the samples again with numpy.savez"
        ) from error
    return {
        member.removesuffix(".npy"): partial(
            StreamSource.open, _Member(path, member), f"{path}, array {member.removesuffix('.npy')!r}"
        )
        for member in members
    }


@dataclass(frozen=True)
class MemorySource:
    """An array in memory."""

    array: NDArray[np.generic]

    @property
    def shape(self) -> tuple[int, ...]:
        """See ArraySource."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        """See ArraySource."""
        return self.array.dtype.newbyteorder("=")

    def read(self, starts: Iterable[int], rows: int) -> Iterator[tuple[int, NDArray[np.generic]]]:
        """See ArraySource."""
        for start in starts:
            yield start, self.array[start : start + rows].astype(self.dtype)


@dataclass(frozen=True)
class _File:
    path: Path

    @contextlib.contextmanager
    def stream(self) -> Generator[io.BufferedIOBase]:
        require_file(self.path, DataError)
        with self.path.open("rb") as stream:
            yield stream

    def size(self) -> int:
        return self.path.stat().st_size


@dataclass(frozen=True)
class _Member:
    path: Path
    name: str

    @contextlib.contextmanager
    def stream(self) -> Generator[io.BufferedIOBase]:
        with zipfile.ZipFile(self.path) as archive, archive.open(self.name) as stream:
            yield cast(zipfile.ZipExtFile, stream)

    def size(self) -> int:
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.name).file_size


@dataclass(frozen=True)
class StreamSource:
    """An array in .npy format behind a stream that is only ever read forwards."""

    content: _File | _Member
    where: str
    shape: tuple[int, ...]
    stored_dtype: np.dtype
    data_offset: int

    @staticmethod
    def open(content: _File | _Member, where: str) -> StreamSource:
        """Read the header.

        Raises:
            DataError: not an array, truncated, of Python objects, or in column-major order.
        """
        try:
            with content.stream() as stream:
                shape, fortran_order, dtype = read_header(stream)
                data_offset = stream.tell()
            size = content.size()
        except BROKEN as error:
            raise _unreadable(where, error) from error
        if dtype.hasobject:
            raise DataError("the array holds Python objects", where=where, remedy="save numbers of one dtype and shape")
        if fortran_order and len(shape) > 1:
            raise DataError(
                "the array is stored column-major, so that it cannot be read sample by sample",
                where=where,
                remedy="save numpy.ascontiguousarray(array)",
            )
        expected = data_offset + prod(shape) * dtype.itemsize
        if size < expected:
            raise DataError(
                f"the array is truncated: {size} bytes of {expected}", where=where, remedy="save the samples again"
            )
        return StreamSource(content, where, shape, dtype, data_offset)

    @property
    def dtype(self) -> np.dtype:
        """See ArraySource."""
        return self.stored_dtype.newbyteorder("=")

    def read(self, starts: Iterable[int], rows: int) -> Iterator[tuple[int, NDArray[np.generic]]]:
        """See ArraySource."""
        row_shape = self.shape[1:]
        row_bytes = prod(row_shape) * self.stored_dtype.itemsize
        try:
            with self.content.stream() as stream:
                position = _skip(stream, self.data_offset)
                for start in starts:
                    position += _skip(stream, self.data_offset + start * row_bytes - position)
                    values = np.empty((rows, *row_shape), self.stored_dtype)
                    _fill(stream, values.reshape(-1).view(np.uint8).data)
                    position += values.nbytes
                    yield start, values.astype(self.dtype, copy=False)
        except BROKEN as error:
            raise _unreadable(self.where, error) from error


def load_array(path: Path) -> NDArray[np.generic]:
    """The array in a .npy file. Raises DataError if it is none."""
    StreamSource.open(_File(path), str(path))
    try:
        return np.load(path, allow_pickle=False)
    except BROKEN as error:
        raise _unreadable(str(path), error) from error


def _skip(stream: io.BufferedIOBase, count: int) -> int:
    if not isinstance(stream, zipfile.ZipExtFile):
        stream.seek(count, io.SEEK_CUR)
        return count
    remaining = count
    while remaining:
        read = len(stream.read(min(remaining, _CHUNK)))
        if not read:
            raise EOFError("the data ends early")
        remaining -= read
    return count


def _fill(stream: io.BufferedIOBase, target: memoryview) -> None:
    done = 0
    while done < len(target):
        read = stream.readinto(target[done : done + _CHUNK])
        if not read:
            raise EOFError("the data ends early")
        done += read


def _unreadable(where: str, error: Exception) -> DataError:
    return DataError(
        f"the array is broken or truncated: {error}", where=where, remedy="save the samples again with numpy.savez"
    )
