"""The table of what each front end takes names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from quantune_mlir.importers.front_ends import FRONT_ENDS

DOCS = Path("docs/importing.md").read_text("utf-8")
HERE = Path(__file__).parent


def test_each_row_is_held_by_tests() -> None:
    table = DOCS.split("\n# ONNX\n", maxsplit=1)[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and not row.startswith("| |")]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"[\w/]+\.py", row)
        assert named, row
        for name in named:
            assert (HERE / name).is_file(), name


def test_each_front_end_has_a_chapter() -> None:
    for front_end in FRONT_ENDS:
        assert f"\n# {front_end.name}\n" in DOCS
