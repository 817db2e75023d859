"""The names that a bundle's C code has for a model and its tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import numpy as np

from quantune_mlir.errors import OutputError

_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN_WORDS: Final = """
arena bases threads parallel_for context auto break case char const continue default do double else enum
extern float for goto if inline int long register restrict return short signed sizeof static struct switch
typedef union unsigned void volatile while asm class delete new operator private protected public template
this throw try catch namespace using virtual friend bool true false and or not xor
"""
_TAKEN: Final = frozenset(_TAKEN_WORDS.split())
"""Words of C and C++, and other parameters of the bundle's functions."""

_FILES: Final = frozenset({"kernels", "selftest", "startup", "test_vector", "weights"})
"""Other files of a bundle."""

_TYPES: Final = {
    "float32": "float",
    "float64": "double",
    "float16": "uint16_t",
    "bool": "uint8_t",
    **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def check_name(name: str) -> None:
    """Raises OutputError unless `name` can begin the names of C functions and files."""
    if not _IDENTIFIER.fullmatch(name) or name in _TAKEN | _FILES:
        raise OutputError(
            "is no name for a model in C",
            where=f"--name {name}",
            remedy="take lower-case letters, digits and underscores, a letter first, no word of C",
        )


def c_names(names: Iterable[str]) -> list[str]:
    """A C identifier for each name, lower case, all different."""
    found: list[str] = []
    for name in names:
        base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "tensor"
        base = f"t_{base}" if base[0].isdigit() else base
        base = f"{base}_" if base in _TAKEN else base
        candidate, number = base, 2
        while candidate in found:
            candidate, number = f"{base}_{number}", number + 1
        found.append(candidate)
    return found


def c_type(dtype: np.dtype) -> str:
    """The C type of an element; float16 has none in C99, and comes as the bits of its value."""
    return _TYPES[dtype.name]
