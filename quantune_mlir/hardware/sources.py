"""Where the numbers of a target's description come from: what its comments say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from quantune_mlir.files import resources
from quantune_mlir.hardware.host_isa import GENERIC, host_isa
from quantune_mlir.hardware.isa_names import HOST
from quantune_mlir.hardware.targets import Target, isa_defaults

_NUMBER: Final = re.compile(r"\s*(?P<key>[\w-]+)\s*=\s*[\d._+e-]+\s*(?:#\s*(?P<source>.*))?")
_TABLE: Final = re.compile(r"\s*\[(?P<table>[\w-]+)\]")
_COMMENT: Final = re.compile(r"\s*#\s*(?P<said>.*)")


def sources_of(target: Target) -> dict[str, str]:
    """By key (`registers`, `memory.l1`), the source of each number that the shipped descriptions give a target."""
    isa = host_isa() if target.isa == HOST else target.isa or GENERIC
    shared, own = isa_defaults(isa), target.model_dump()
    found = {
        key: source
        for key, source in sources_in(resources.isa_text(isa)).items()
        if _value(shared, key) == _value(own, key)
    }
    if target.name in resources.targets():
        found |= sources_in(resources.target_text(target.name))
    return found


def _value(description: Mapping[str, Any], key: str) -> object:
    *tables, name = key.split(".")
    for table in tables:
        description = description[table]
    return description[name]


def sources_in(text: str) -> dict[str, str]:
    """By key, what a comment on the line of a number says, else the comment right above its table; "" for none."""
    found: dict[str, str] = {}
    table, above, shared = "", "", ""
    for line in text.splitlines():
        if header := _TABLE.match(line):
            table, shared = f"{header['table']}.", above
        elif number := _NUMBER.fullmatch(line):
            found[table + number["key"]] = number["source"] or shared
        comment = _COMMENT.fullmatch(line)
        above = f"{above} {comment['said']}".strip() if comment else ""
    return found
