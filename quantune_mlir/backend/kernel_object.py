"""From the object file that IREE makes of executables to one with nothing but the code of one function.

IREE's object also holds other functions, a table of them and debug information, and its functions are local. What is
kept is what the function refers to, directly or not, in the order in which it does; so the result is the same whatever
was compiled together with it. The function becomes global, for programs to be linked with it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
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
_X86_64: Final = 62
_RELATIVE: Final = 2
_READ_ONLY: Final = ".rodata"
_BLOCK: Final = 64
"""Where x86 has constants of a whole vector, which no section is for in which they are merged, and their size."""
_VEX: Final = 0xC4
_EVEX: Final = 0x62
_MAP: Final = 2
_FROM_HERE: Final = 5
_LANES: Final = {0x78: 1, 0x79: 2}
"""What the machine code of vpbroadcastb and vpbroadcastw begins with, how it tells that it reads from a place relative
to it, and their opcodes with the bytes of a lane."""
_AFTER: Final = 4
"""Bytes of an instruction, at most, after the four that say where a constant stands."""
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


def kernel_objects(data: bytes, functions: Sequence[str]) -> dict[str, KernelObject]:
    """The object files of functions, by name.

    Args:
        data: the object file that IREE made, see elf_file.py.
        functions: their names in it, and in the results.

    Raises:
        ValueError: it is no such file, or there is no such function.
    """
    found: dict[str, KernelObject] = {}
    function = functions[0]
    try:
        file = _File(read_elf(data))
        for function in functions:
            found[function] = _kernel_object(file, function)
    except (struct.error, IndexError, UnicodeDecodeError, KeyError) as error:
        raise ValueError(f"not an object file with the function {function}") from error
    return found


def _kernel_object(file: _File, function: str) -> KernelObject:
    start = file.functions[function]
    taken = _Taken(file, start)
    taken.take(start)
    undefined = tuple(symbol.name for symbol in taken.symbols.values() if not symbol.section)
    return KernelObject(taken.written(start), undefined, taken.apart)


class _File:
    """A file, and what is asked of it for each function again."""

    def __init__(self, whole: ElfFile) -> None:
        self.whole = whole
        self.functions = {symbol.name: i for i, symbol in enumerate(whole.symbols) if symbol.type == _FUNCTION}
        self.tables = {section.info: section for section in whole.sections if section.type == RELOCATIONS}
        """Sections with relocations, by what they are of."""
        self.relocations = {of: list(RELOCATION.iter_unpack(table.data)) for of, table in self.tables.items()}
        pointed_at = {info >> 32 for entries in self.relocations.values() for _, info, _ in entries}
        self.undivided = {whole.symbols[i].section for i in pointed_at if whole.symbols[i].type != _OBJECT}
        """Sections with constants that have no names of their own, if there are constants in them."""


class _Taken:
    """What is taken from a file, by number there; as dicts keep order, in that in which it was met."""

    def __init__(self, file: _File, start: int) -> None:
        self.symbols: dict[int, Symbol] = {}
        self.apart = True
        self._file = file
        self._whole = file.whole
        reached = self._reached(start)
        self._in_blocks = {number for number in reached if self._has_vectors(number, reached)}
        self._blocks: dict[tuple[int, int], int] = {}
        """Where blocks stand that were taken, by section and where they stood."""
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
            elif symbol.section in self._in_blocks:
                self._sections.setdefault(symbol.section, bytearray())
            elif symbol.section and symbol.section not in self._sections:
                section = self._whole.sections[symbol.section]
                self.apart &= not section.flags & _MERGED and section.name not in _SHARED
                self._sections[symbol.section] = bytearray(section.data)
                for at, info, addend in self._relocations_of(symbol.section):
                    pending.append(info >> 32)
                    self._take_vector(info >> 32, self._constant(symbol.section, at, addend))
            self.symbols[number] = symbol

    def _reached(self, start: int) -> set[int]:
        """The sections that a symbol's refers to, directly or not, and it."""
        sections = [self._whole.symbols[start].section]
        for section in sections:
            to = (self._whole.symbols[info >> 32].section for _, info, _ in self._relocations_of(section))
            sections += [number for number in dict.fromkeys(to) if number not in sections]
        return set(sections)

    def _has_vectors(self, number: int, reached: set[int]) -> bool:
        """Whether all that is taken of a section are constants of a whole vector, or of one lane, told apart."""
        section = self._whole.sections[number] if number < _FIRST_RESERVED else _NOTHING[0]
        is_one = (section.name, self._whole.machine) == (_READ_ONLY, _X86_64) and section.alignment <= _BLOCK
        if not is_one or number in self._file.relocations:
            return False
        lanes = {
            place // _BLOCK * _BLOCK
            for of, at, _, addend in self._references(self._file.relocations, number)
            if (found := self._constant(of, at, addend)) is None or found[1] < _BLOCK
            for place in (addend + 4, addend + 4 + _AFTER)
        }
        return all(
            info & 0xFFFFFFFF == _RELATIVE
            and found is not None
            and (found[1] < _BLOCK or (found[0] not in lanes and any(section.data[found[0] + 2 : found[0] + _BLOCK])))
            for of, at, info, addend in self._references(reached, number)
            for found in [self._constant(of, at, addend)]
        )

    def _references(self, sections: Iterable[int], to: int) -> list[tuple[int, int, int, int]]:
        """Section, place, symbol and type, and addend of what refers to a section."""
        found = ((number, *entry) for number in sections for entry in self._relocations_of(number))
        return [each for each in found if self._whole.symbols[each[2] >> 32].section == to]

    def _constant(self, section: int, at: int, addend: int) -> tuple[int, int] | None:
        """Where the constant stands that the instruction around a place refers to, and its bytes; None if unknown.

        Addends count from the end of an instruction, whose last four bytes, or before one to four more, they are.
        """
        lane = _lane(self._whole.sections[section].data[max(0, at - 6) : at])
        if lane:
            return addend + 4, lane
        start = -(-(addend + 4) // _BLOCK) * _BLOCK
        return (start, _BLOCK) if start - (addend + 4) <= _AFTER else None

    def _take_vector(self, symbol: int, found: tuple[int, int] | None) -> None:
        """The constant that a relocation refers to, if it is such a one: in a block of its own."""
        section = self._whole.symbols[symbol].section
        if section in self._in_blocks and found is not None and (section, found[0]) not in self._blocks:
            start, size = found
            data = self._sections.setdefault(section, bytearray())
            self._blocks[section, start] = len(data)
            data += self._whole.sections[section].data[start : start + size].ljust(_BLOCK, b"\0")

    def _moved(self, symbol: int, found: tuple[int, int] | None) -> int:
        """How far what a relocation refers to was moved."""
        if found is None:
            return 0
        return self._blocks.get((self._whole.symbols[symbol].section, found[0]), found[0]) - found[0]

    def _is_constant(self, symbol: Symbol) -> bool:
        section = self._whole.sections[symbol.section]
        divided = section.flags & _MERGED and symbol.section not in self._file.undivided
        return bool(divided and symbol.size and section.alignment <= section.entry_bytes)

    def _take_constant(self, symbol: Symbol) -> int:
        """Where it stands among those taken of its section."""
        section = self._whole.sections[symbol.section]
        data = self._sections.setdefault(symbol.section, bytearray())
        data += bytes(-len(data) % section.entry_bytes)
        data += section.data[symbol.value : symbol.value + symbol.size]
        return len(data) - symbol.size

    def _relocations_of(self, section: int) -> list[tuple[int, int, int]]:
        return self._file.relocations.get(section, [])

    def _section(self, number: int, data: bytes) -> Section:
        """Constants are as aligned as they are large: the whole file's may be less so, or as others asked for."""
        section = self._whole.sections[number]
        least = _BLOCK if number in self._in_blocks else section.entry_bytes
        return replace(section, data=data, alignment=max(section.alignment, least))

    def written(self, function: int) -> bytes:
        """The file, in which only `function` can be found, and undefined symbols are called by their names."""
        local = [i for i, symbol in self.symbols.items() if symbol.section and i != function]
        order = [*local, function, *(i for i, symbol in self.symbols.items() if not symbol.section)]
        numbers = {old: new for new, old in enumerate(order, 1)}
        places = {old: new for new, old in enumerate(self._sections, 1)}
        sections = [self._section(old, bytes(data)) for old, data in self._sections.items()]
        for old, new in places.items():
            if entries := self._relocations_of(old):
                moved = (
                    RELOCATION.pack(
                        at,
                        numbers[i >> 32] << 32 | i & 0xFFFFFFFF,
                        addend + self._moved(i >> 32, self._constant(old, at, addend)),
                    )
                    for at, i, addend in entries
                )
                sections.append(replace(self._file.tables[old], data=b"".join(moved), info=new))
        symbols = [replace(self.symbols[i], section=places.get(self.symbols[i].section, 0)) for i in order]
        symbols = [replace(x, name="") if i in local else x for i, x in zip(order, symbols, strict=True)]
        symbols[len(local)] = replace(symbols[len(local)], info=_GLOBAL | _FUNCTION, visibility=_HIDDEN)
        empty, none = _NOTHING
        made = ElfFile(self._whole.machine, self._whole.flags, [empty, *sections], [none, *symbols])
        return write_elf(made, 1 + len(local))


def _lane(code: bytes) -> int:
    """Bytes that an instruction of x86 reads if it fills a vector with one lane, of bytes or words; else 0.

    Args:
        code: its last bytes, or more, before those that say from what place.
    """
    opcode, address = code[-2:] if len(code) > 1 else b"\0\0"
    short, long = code[-5:-2], code[-6:-2]
    is_short = len(short) == 3 and short[0] == _VEX and short[1] & 0x1F == _MAP
    is_long = len(long) == 4 and long[0] == _EVEX and long[1] & 7 == _MAP
    from_here = address & 0xC7 == _FROM_HERE
    return _LANES.get(opcode, 0) if from_here and (is_short or is_long) else 0
