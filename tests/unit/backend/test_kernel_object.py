"""What is taken of an object file, written here by hand: sections of two functions, and constants that they share."""

from __future__ import annotations

import pytest

from quantune_mlir.backend.elf_file import RELOCATION, RELOCATIONS, ElfFile, Section, Symbol, read_elf, write_elf
from quantune_mlir.backend.kernel_object import KernelObject, kernel_objects

BLOCKS = bytes(range(64)), bytes(range(64, 128))
CODE, CONSTANT, FUNCTION, OF_SECTION = 0x6, 0x2, 2, 3
FUNCTIONS = "first", "second"
X86_64, RELATIVE = 62, 2
RODATA = 3
NOTHING = Section("", 0, 0, b"", 0, 0, 0, 0), Symbol("", 0, 0, 0, 0, 0)


def written(constants: bytes, first: list[int], second: list[int], code: bytes = b"") -> bytes:
    """Functions `first` and `second`, which refer to such addends of their constants, `second` after other code."""

    def relocations(addends: list[int], function: int) -> Section:
        at = len(code) if function == len(FUNCTIONS) else 0
        entries = (RELOCATION.pack(at + 8 * i, 1 << 32 | RELATIVE, addend) for i, addend in enumerate(addends))
        return Section(".rela.text", RELOCATIONS, 0, b"".join(entries), 0, function, 8, RELOCATION.size)

    bodies = zip(FUNCTIONS, (bytes(40), code.ljust(40, b"\0")), strict=True)
    texts = [Section(f".text.{name}", 1, CODE, body, 0, 0, 16, 0) for name, body in bodies]
    alignment = 64 if len(constants) >= 64 else 1
    sections = [NOTHING[0], *texts, Section(".rodata", 1, CONSTANT, constants, 0, 0, alignment, 0)]
    sections += [relocations(first, 1), relocations(second, 2)]
    symbols = [NOTHING[1], Symbol("", OF_SECTION, 0, RODATA, 0, 0)]
    symbols += [Symbol(name, FUNCTION, 0, i, 0, 40) for i, name in enumerate(FUNCTIONS, 1)]
    return write_elf(ElfFile(X86_64, 0, sections, symbols), len(symbols))


def kernel_object(data: bytes, name: str) -> KernelObject:
    return kernel_objects(data, [name])[name]


def addends(data: bytes) -> list[int]:
    (found,) = (section for section in read_elf(data).sections if section.type == RELOCATIONS)
    return [addend for _, _, addend in RELOCATION.iter_unpack(found.data)]


def test_only_constants_of_the_function_are_taken() -> None:
    both = written(b"".join(BLOCKS), [-4], [60, 59, 60])
    alone = kernel_object(both, "second")
    assert alone.apart
    assert [section.data for section in read_elf(alone.data).sections if section.name == ".rodata"] == [BLOCKS[1]]
    assert addends(alone.data) == [-4, -5, -4], "an instruction ends four bytes after the reference, or five"
    assert kernel_object(written(BLOCKS[1], [], [-4, -5, -4]), "second") == alone
    whole = kernel_object(written(b"".join(BLOCKS), [], [60, -4]), "second")
    assert addends(whole.data) == [-4, 60], "in the order in which they are referred to"


@pytest.mark.parametrize(
    "others",
    [pytest.param(b"\x80", id="at the end"), pytest.param(b"\x80\x07", id="two"), pytest.param(b"", id="none")],
)
def test_smaller_constants_are_not_told_apart(others: bytes) -> None:
    """They may be as long as they look, or not."""
    small = [64 - 4 + i for i in range(len(others))]
    data = written(BLOCKS[0] + others, [-4], [-4, *small])
    assert kernel_object(data, "first").apart
    assert kernel_object(data, "second").apart == (not others)
    padded = written(BLOCKS[0] + others.ljust(64, b"\0") + BLOCKS[1], [124], [-4, *small])
    assert kernel_object(padded, "second").apart == (not others)


@pytest.mark.parametrize("broadcast", ["c46279783d", "62f27d487935"])
def test_lanes_that_fill_a_vector_are(broadcast: str) -> None:
    before = bytes.fromhex(broadcast)
    size = 1 if before[-2] == 0x78 else 2
    lane = b"\x80\x07"[:size]
    data = written(BLOCKS[0] + lane + b"\x33\x44", [-4], [64 - 4], before)
    alone = kernel_object(data, "second")
    assert alone.apart
    (taken,) = (section for section in read_elf(alone.data).sections if section.name == ".rodata")
    assert (taken.data, taken.alignment, addends(alone.data)) == (lane.ljust(64, b"\0"), 64, [-4])
    assert kernel_object(written(lane, [], [-4], before), "second") == alone
    assert kernel_object(data, "first").apart
