"""How much of an object file ends up in a program."""

from __future__ import annotations

import struct
from typing import Final

_MAGIC: Final = b"\x7fELF"
_ALLOCATED: Final = 0x2
_NO_BITS: Final = 8


def loaded_bytes(data: bytes) -> int:
    """Code and constants of an object file: all that goes into a program if nothing is left out by the linker.

    The file is little-endian ELF of 32 or 64 bits; nothing of anything else is loaded.
    """
    if data[:4] != _MAGIC or data[5] != 1:
        return 0
    wide = data[4] == 2
    (table,) = struct.unpack_from("<Q" if wide else "<I", data, 0x28 if wide else 0x20)
    entry, count = struct.unpack_from("<HH", data, 0x3A if wide else 0x2E)
    layout = "<IIQQQQ" if wide else "<IIIIII"
    headers = (struct.unpack_from(layout, data, table + i * entry) for i in range(count))
    return sum(size for _, kind, flags, *_, size in headers if flags & _ALLOCATED and kind != _NO_BITS)
