"""Object files as sections and symbols: 64-bit little-endian ELF with addends in relocations (x86-64, AArch64)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

RELOCATION: Final = struct.Struct("<QQq")
"""Offset, symbol << 32 | type, addend."""
RELOCATIONS: Final = 4
"""The type of sections that hold them."""

_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_IDENTIFICATION: Final = b"\x7fELF\x02\x01\x01"
_RELOCATABLE: Final = 1
_SYMBOLS, _STRINGS, _NO_BITS = 2, 3, 8


@dataclass(frozen=True)
class Section:
    """A section; `link` and `info` are numbers of others."""

    name: str
    type: int
    flags: int
    data: bytes
    link: int
    info: int
    alignment: int
    entry_bytes: int


@dataclass(frozen=True)
class Symbol:
    """A symbol; `section` is the number of a section, 0 if it is undefined."""

    name: str
    info: int
    visibility: int
    section: int
    value: int
    size: int

    @property
    def type(self) -> int:
        """What it stands for."""
        return self.info & 15


@dataclass(frozen=True)
class ElfFile:
    """An object file. Section 0 and symbol 0 are nothing."""

    machine: int
    flags: int
    sections: Sequence[Section]
    symbols: Sequence[Symbol]


def read_elf(data: bytes) -> ElfFile:
    """The object file in `data`. Raises ValueError or struct.error if it is none."""
    identification, _, machine, _, _, _, start, flags, _, _, _, size, count, names_at = _HEADER.unpack_from(data)
    if not identification.startswith(_IDENTIFICATION) or size != _SECTION.size:
        raise ValueError("not a 64-bit little-endian ELF file")
    headers = [_SECTION.unpack_from(data, start + i * size) for i in range(count)]
    bodies = [b"" if header[1] == _NO_BITS else data[header[4] : header[4] + header[5]] for header in headers]
    sections = [
        Section(_text(bodies[names_at], name), type_, bits, body, link, info, alignment, entry)
        for (name, type_, bits, _, _, _, link, info, alignment, entry), body in zip(headers, bodies, strict=True)
    ]
    (table,) = (section for section in sections if section.type == _SYMBOLS)
    strings = sections[table.link].data
    symbols = [Symbol(_text(strings, name), *others) for name, *others in _SYMBOL.iter_unpack(table.data)]
    return ElfFile(machine, flags, sections, symbols)


def write_elf(file: ElfFile, first_global: int) -> bytes:
    """The bytes of an object file, symbol and string tables added. Symbols before `first_global` are local."""
    strings = bytearray(b"\0")

    def string(text: str) -> int:
        at = len(strings) if text else 0
        if text:
            strings.extend(text.encode() + b"\0")
        return at

    table = b"".join(
        _SYMBOL.pack(string(x.name), x.info, x.visibility, x.section, x.value, x.size) for x in file.symbols
    )
    symbols = len(file.sections)
    every = [replace(x, link=symbols) if x.type == RELOCATIONS else x for x in file.sections]
    every.append(Section(".symtab", _SYMBOLS, 0, table, symbols + 1, first_global, 8, _SYMBOL.size))
    every.append(Section(".strtab", _STRINGS, 0, b"", 0, 0, 1, 0))
    names = [string(section.name) for section in every]
    every[-1] = replace(every[-1], data=bytes(strings))
    body = bytearray(_HEADER.size)
    headers: list[bytes] = []
    for name, x in zip(names, every, strict=True):
        body += bytes(-len(body) % max(1, x.alignment))
        placed = name, x.type, x.flags, 0, len(body), len(x.data)
        headers.append(_SECTION.pack(*placed, x.link, x.info, x.alignment, x.entry_bytes))
        body += x.data
    body += bytes(-len(body) % 8)
    sizes = _HEADER.size, 0, 0, _SECTION.size, len(every), symbols + 1
    start = _IDENTIFICATION.ljust(16, b"\0"), _RELOCATABLE, file.machine, 1, 0, 0, len(body), file.flags
    _HEADER.pack_into(body, 0, *start, *sizes)
    return bytes(body + b"".join(headers))


def _text(strings: bytes, at: int) -> str:
    return strings[at : strings.index(b"\0", at)].decode()
