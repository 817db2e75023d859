"""How much of an object file ends up in a program."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MAGIC: Final = b"\x7fELF"
_ALLOCATED: Final = 0x2
_NO_BITS: Final = 8


@dataclass(frozen=True)
class Section:
    """A section: its type, its flags, and its bytes."""

    name: str
    kind: int
    flags: int
    size: int


def sections(data: bytes) -> Iterator[Section]:
    """The sections of a little-endian ELF file of 32 or 64 bits; none of anything else."""
    if data[:4] != _MAGIC or data[5] != 1:
        return
    wide = data[4] == 2
    (table,) = struct.unpack_from("<Q" if wide else "<I", data, 0x28 if wide else 0x20)
    entry, count, names = struct.unpack_from("<HHH", data, 0x3A if wide else 0x2E)
    layout = "<IIQQQQ" if wide else "<IIIIII"
    headers = [struct.unpack_from(layout, data, table + i * entry) for i in range(count)]
    strings = headers[names][4]
    for name, kind, flags, _, _, size in headers:
        start = strings + name
        yield Section(data[start : data.index(b"\0", start)].decode(), kind, flags, size)


def loaded_bytes(data: bytes) -> int:
    """Code and constants of an object file: all that goes into a program if nothing is left out by the linker."""
    return sum(s.size for s in sections(data) if s.flags & _ALLOCATED and s.kind != _NO_BITS)
