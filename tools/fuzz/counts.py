"""Numbers of what was tried, by row, as JSON files that add up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

Counts = dict[str, dict[str, float]]

INPUTS: Final = "inputs"
COMPARED: Final = "compared"
"""Accepted ones whose results were compared with another implementation's."""
SECONDS_TAKEN: Final = "seconds"
"""Of the processor."""


def add(before: Mapping[str, Mapping[str, float]], added: Mapping[str, Mapping[str, float]]) -> Counts:
    """Row by row."""
    names = dict.fromkeys([*before, *added])
    return {name: dict(Counter(before.get(name, {})) + Counter(added.get(name, {}))) for name in names}


def read(path: Path) -> Counts:
    """What a file has; nothing if there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path: Path, counts: Counts) -> None:
    """Replace a file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
