"""Reads the arrays of an .npz that may be anything: every size is checked before memory is taken for it."""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BROKEN: Final = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, SyntaxError),
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError, RuntimeError, MemoryError),
    tokenize.TokenError,
)
"""What zipfile, zlib and NumPy raise of files that are broken."""
_PLAIN: Final = frozenset("biuf")


def read_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether it is column-major, and dtype of the .npy at the stream's position. Raises one of BROKEN."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(stream)
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise ValueError(f"its shape is {list(shape)}")
    return shape, fortran_order, dtype


def read_arrays(data: bytes, names: Sequence[str], *, limit: int) -> dict[str, NDArray[np.generic]]:
    """The arrays `names` of numbers, of at most `limit` bytes in all. Raises one of BROKEN."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [archive.getinfo(f"{name}.npy") for name in names]
        size = sum(member.file_size for member in members)
        if size > limit:
            raise ValueError(f"its arrays have {size} bytes; at most {limit} are read")
        return {name: _array(archive.read(member)) for name, member in zip(names, members, strict=True)}


def _array(content: bytes) -> NDArray[np.generic]:
    stream = io.BytesIO(content)
    shape, fortran_order, dtype = read_header(stream)
    if dtype.kind not in _PLAIN or fortran_order:
        raise ValueError(f"an array of {dtype}, or column-major")
    if prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError(f"an array of shape {list(shape)} with {len(content) - stream.tell()} bytes")
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape)
