"""Parameters of named pipelines: `${name}` and `${name=default}` in their text stand for values given from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from quantune_mlir.errors import PassError
from quantune_mlir.pipeline.options import quote
from quantune_mlir.pipeline.registry import nearest

_PARAMETER: Final = re.compile(r"\$\{(\w+)(?:=([^{}]*))?\}")


def parameter_names(text: str) -> list[str]:
    """The parameters of a pipeline's text, each once, in order of appearance."""
    return list(dict.fromkeys(match[1] for match in _PARAMETER.finditer(text)))


def fill_in(text: str, values: Mapping[str, str], *, name: str) -> str:
    """The text of the pipeline `name` with its parameters' values, or defaults, in their places.

    Raises:
        PassError: it has no such parameter, or a value is missing where there is no default.
    """
    where, known = f"pipeline '{name}'", parameter_names(text)
    for unknown in (value for value in values if value not in known):
        raise PassError(f"no parameter '{unknown}'", where=where, remedy=nearest(unknown, known) if known else None)
    required = dict.fromkeys(match[1] for match in _PARAMETER.finditer(text) if match[2] is None)
    missing = [parameter for parameter in required if parameter not in values]
    if missing:
        remedy = " ".join(f"--set {parameter}=..." for parameter in missing)
        raise PassError(f"needs a value for {', '.join(missing)}", where=where, remedy=f"give {remedy}")
    return _PARAMETER.sub(lambda match: quote(values[match[1]]) if match[1] in values else match[2], text)
