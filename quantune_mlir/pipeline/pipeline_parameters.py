"""Parameters of pipelines: in their text `${name}` stands for a value that is given from outside.

${name}          has to be given
${name=value}    has a default
${name?}         may be left out, and the option with it: what the pass itself says then holds
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from quantune_mlir.errors import PassError
from quantune_mlir.files import resources
from quantune_mlir.pipeline.registry import nearest
from quantune_mlir.pipeline.scanner import PARAMETER, QUOTED

INCLUDE: Final = "include"
_MENTION: Final = re.compile(
    rf"#[^\n]*|{QUOTED.pattern}|{PARAMETER.pattern}|\b{INCLUDE}\s+(?P<included>[\w-]+)", re.DOTALL
)


@dataclass(frozen=True)
class Parameter:
    """A parameter where a text mentions it.

    Attributes:
        name: its name.
        default: its value where none is given; None: it has no default.
        optional: whether what it stands in can be left out.
    """

    name: str
    default: str | None
    optional: bool

    @classmethod
    def of(cls, match: re.Match[str]) -> Parameter:
        """What `PARAMETER` has matched."""
        return cls(match["parameter"], match["default"], match["optional"] is not None)

    def value(self, values: Mapping[str, object]) -> object:
        """Its value among those given, of which None is none, or its default; None if there is neither."""
        given = values.get(self.name)
        return self.default if given is None else given


def parameters_of(text: str) -> Iterator[Parameter]:
    """What a pipeline's text, and those that it includes, mention, in order of appearance."""
    for match in _MENTION.finditer(text):
        if match["parameter"]:
            yield Parameter.of(match)
        elif match["included"] in resources.pipelines():
            yield from parameters_of(resources.pipeline_text(match["included"]))


def parameter_names(text: str) -> list[str]:
    """The parameters of a pipeline's text, each once, in order of appearance."""
    return list(dict.fromkeys(parameter.name for parameter in parameters_of(text)))


def require_values(text: str, values: Mapping[str, object], where: str) -> None:
    """Raise PassError if the text has no such parameters, or needs more."""
    found = list(parameters_of(text))
    known = list(dict.fromkeys(parameter.name for parameter in found))
    for unknown in (value for value in values if value not in known):
        raise PassError(f"no parameter '{unknown}'", where=where, remedy=nearest(unknown, known) if known else None)
    missing = dict.fromkeys(p.name for p in found if not p.optional and p.value(values) is None)
    if missing:
        remedy = " ".join(f"--set {name}=..." for name in missing)
        raise PassError(f"needs a value for {', '.join(missing)}", where=where, remedy=f"give {remedy}")
