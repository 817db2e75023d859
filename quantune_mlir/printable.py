"""Text from files and command lines, made fit to be shown."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what a terminal obeys, or people cannot see: control, format, surrogate, separators."""


def printable(text: str, *, lines: bool = False) -> str:
    r"""`text` with what would move a cursor, change a colour or reverse a line written as in Python: `\x1b`, `\u202e`.

    Args:
        lines: leave line breaks as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _shown(c, lines) else c.encode("unicode_escape").decode("ascii") for c in text)


def shortened(text: str, length: int = 200) -> str:
    """`text` without its middle if it is longer than `length`."""
    if len(text) <= length:
        return text
    half = (length - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def _shown(character: str, lines: bool) -> bool:
    return (lines and character == "\n") or unicodedata.category(character) not in _UNSEEN
