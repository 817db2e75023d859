"""C files, makefiles and texts with gaps such as @NAME@."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from quantune_mlir.files.resources import c_template

_GAP: Final = re.compile(r"@([A-Z][A-Z_0-9]*)@")


def filled(name: str, values: Mapping[str, object]) -> str:
    """The template `name` with its gaps filled. Raises KeyError for a gap that has no value."""
    return _GAP.sub(lambda gap: str(values[gap[1]]), c_template(name))
