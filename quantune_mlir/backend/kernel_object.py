"""From the object file that IREE makes of executables to one with nothing but the code of one function.

IREE's object also holds other functions, a table of them and debug information, and its functions are local. What is
kept is what the function refers to, directly or not, in the order in which it does; so the result is the same whatever
was compiled together with it. The function becomes global, for programs to be linked with it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Final

from quantune_mlir.backend.elf_file import RELOCATION, RELOCATIONS, ElfFile, Section, Symbol, read_elf, write_elf

_OBJECT, _FUNCTION = 1, 2
_GLOBAL: Final = 1 << 4
_HIDDEN: Final = 2
_MERGED: Final = 0x10
"""Flags of sections with constants, which the functions of a file share."""
_SHARED: Final = frozenset({".text", ".rodata", ".data", ".data.rel.ro", ".bss"})
"""Sections for whatever has none of its own, such as constants that are larger than LLVM merges."""
_FIRST_RESERVED: Final = 0xFF00
_NOTHING: Final = Section("", 0, 0, b"", 0, 0, 0, 0), Symbol("", 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class KernelObject:
    """An object file.

    Attributes:
        data: what the file holds.
        undefined: symbols that it needs from others.
        apart: whether it is what the function would be alone; else some constants of others are there, too.
    """

    data: bytes
    undefined: tuple[str, ...]
    apart: bool


def kernel_object(data: bytes, function: str) -> KernelObject:
    """The object file of a function.

    Args:
        data: the object file that IREE made, see elf_file.py.
        function: the name of the function in it, and in the result.

    Raises:
        ValueError: it is no such file, or there is no such function.
    """
    try:
        whole = read_elf(data)
        start = next(i for i, x in enumerate(whole.symbols) if x.name == function and x.type == _FUNCTION)
        taken = _Taken(whole)
        taken.take(start)
    except (struct.error, IndexError, UnicodeDecodeError, StopIteration) as error:
        raise ValueError(f"not an object file with the function {function}") from error
    undefined = tuple(symbol.name for symbol in taken.symbols.values() if not symbol.section)
    return KernelObject(taken.written(start), undefined, taken.apart)


class _Taken:
    """What is taken from a file, by number there; as dicts keep order, in that in which it was met."""

    def __init__(self, whole: ElfFile) -> None:
        self.symbols: dict[int, Symbol] = {}
        self.apart = True
        self._whole = whole
        self._relocations = {section.info: section for section in whole.sections if section.type == RELOCATIONS}
        pointed_at = {i >> 32 for number in self._relocations for _, i, _ in self._relocations_of(number)}
        self._undivided = {whole.symbols[i].section for i in pointed_at if whole.symbols[i].type != _OBJECT}
        """Sections with constants that have no names of their own, if there are constants in them."""
        self._sections: dict[int, bytearray] = {}

    def take(self, start: int) -> None:
        """A symbol, and all that its section refers to."""
        pending = [start]
        for number in pending:
            symbol = self._whole.symbols[number]
            if number in self.symbols:
                continue
            if symbol.section >= _FIRST_RESERVED:
                raise ValueError(f"{symbol.name} has no section of its own")
            if self._is_constant(symbol):
                symbol = replace(symbol, value=self._take_constant(symbol))
            elif symbol.section and symbol.section not in self._sections:
                section = self._whole.sections[symbol.section]
                self.apart &= not section.flags & _MERGED and section.name not in _SHARED
                self._sections[symbol.section] = bytearray(section.data)
                pending += [info >> 32 for _, info, _ in self._relocations_of(symbol.section)]
            self.symbols[number] = symbol

    def _is_constant(self, symbol: Symbol) -> bool:
        section = self._whole.sections[symbol.section]
        divided = section.flags & _MERGED and symbol.section not in self._undivided
        return bool(divided and symbol.size and section.alignment <= section.entry_bytes)

    def _take_constant(self, symbol: Symbol) -> int:
        """Where it stands among those taken of its section."""
        section = self._whole.sections[symbol.section]
        data = self._sections.setdefault(symbol.section, bytearray())
        data += bytes(-len(data) % section.entry_bytes)
        data += section.data[symbol.value : symbol.value + symbol.size]
        return len(data) - symbol.size

    def _relocations_of(self, section: int) -> list[tuple[int, int, int]]:
        found = self._relocations.get(section)
        return [] if found is None else list(RELOCATION.iter_unpack(found.data))

    def _section(self, number: int, data: bytes) -> Section:
        """Constants are as aligned as they are large: the whole file's may be less so, or as others asked for."""
        section = self._whole.sections[number]
        return replace(section, data=data, alignment=max(section.alignment, section.entry_bytes))

    def written(self, function: int) -> bytes:
        """The file, in which only `function` can be found, and undefined symbols are called by their names."""
        local = [i for i, symbol in self.symbols.items() if symbol.section and i != function]
        order = [*local, function, *(i for i, symbol in self.symbols.items() if not symbol.section)]
        numbers = {old: new for new, old in enumerate(order, 1)}
        places = {old: new for new, old in enumerate(self._sections, 1)}
        sections = [self._section(old, bytes(data)) for old, data in self._sections.items()]
        for old, new in places.items():
            if entries := self._relocations_of(old):
                moved = (RELOCATION.pack(at, numbers[i >> 32] << 32 | i & 0xFFFFFFFF, add) for at, i, add in entries)
                sections.append(replace(self._relocations[old], data=b"".join(moved), info=new))
        symbols = [replace(self.symbols[i], section=places.get(self.symbols[i].section, 0)) for i in order]
        symbols = [replace(x, name="") if i in local else x for i, x in zip(order, symbols, strict=True)]
        symbols[len(local)] = replace(symbols[len(local)], info=_GLOBAL | _FUNCTION, visibility=_HIDDEN)
        empty, none = _NOTHING
        made = ElfFile(self._whole.machine, self._whole.flags, [empty, *sections], [none, *symbols])
        return write_elf(made, 1 + len(local))
