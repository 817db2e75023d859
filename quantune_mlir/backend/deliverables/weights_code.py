"""Constants as C arrays, or, where a compiler would take long over these, as a file that the assembler includes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from quantune_mlir.backend.deliverables.read_schedule import ALIGNMENT

_MOST_IN_C: Final = 4 << 20
_WORDS_IN_A_LINE: Final = 10


def weights_files(name: str, weights: Sequence[bytes]) -> dict[str, bytes]:
    """What to write, by file name: weights.c, or weights.S and weights.bin."""
    padded = [data.ljust(-(-len(data) // ALIGNMENT) * ALIGNMENT, b"\0") for data in weights]
    if sum(map(len, padded)) <= _MOST_IN_C:
        return {"weights.c": _in_c(name, padded).encode()}
    return {"weights.S": _in_assembler(name, padded).encode(), "weights.bin": b"".join(padded)}


def _in_c(name: str, weights: Sequence[bytes]) -> str:
    macro = name.upper()
    attribute = f"{macro}_WEIGHTS_ATTRIBUTE"
    text = f"""\
/* The constants of {name}. {attribute} may place them:
 * -D{attribute}='__attribute__((section(".external_flash")))' */
#include "{name}.h"

#ifndef {attribute}
#define {attribute}
#endif
"""
    for i, data in enumerate(weights):
        declaration = f"const {macro}_ALIGNED uint32_t {name}_weights_{i}[{len(data) // 4}]"
        text += f"\nextern {declaration};\n{attribute} {declaration} = {{\n{words_in_c(data)}\n}};\n"
    return text


def words_in_c(data: bytes) -> str:
    """The words of little-endian `data`, whose length is a multiple of 4, for an array of uint32_t."""
    words = [f"{word:#x}," for word in np.frombuffer(data, "<u4").tolist()]
    return "\n".join(" ".join(words[i : i + _WORDS_IN_A_LINE]) for i in range(0, len(words), _WORDS_IN_A_LINE))


def _in_assembler(name: str, weights: Sequence[bytes]) -> str:
    text = f"""\
/* The constants of {name}, from weights.bin. {name.upper()}_WEIGHTS_SECTION names the section that they go to. */
#ifndef {name.upper()}_WEIGHTS_SECTION
#define {name.upper()}_WEIGHTS_SECTION .rodata
#endif
    .section {name.upper()}_WEIGHTS_SECTION, "a"
"""
    first = 0
    for i, data in enumerate(weights):
        symbol = f"{name}_weights_{i}"
        text += f"    .balign {ALIGNMENT}\n    .globl {symbol}\n{symbol}:\n"
        text += f'    .incbin "weights.bin", {first}, {len(data)}\n'
        first += len(data)
    return text + '#if defined(__linux__) && defined(__ELF__)\n    .section .note.GNU-stack, "", %progbits\n#endif\n'
