"""The names in a location.

Read off its text: the bindings' `name_str` ends the process where a name is not UTF-8.
"""

from __future__ import annotations

import re
from typing import Final

from quantune_mlir.mlir.bindings import ir

_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(:\d+)?')
_ESCAPE: Final = re.compile(rb"\\(\\|[0-9A-Fa-f]{2})")


def location_names(location: ir.Location) -> list[str]:
    """The names, outermost first; those of files apart. Bytes that are not UTF-8 are replaced."""
    return [_unescaped(text) for text, line in _QUOTED.findall(str(location)) if not line]


def _unescaped(text: str) -> str:
    def byte(match: re.Match[bytes]) -> bytes:
        code = match.group(1)
        return code if code == b"\\" else bytes([int(code, 16)])

    return _ESCAPE.sub(byte, text.encode()).decode("utf-8", errors="replace")
