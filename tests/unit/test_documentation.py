"""The files that documents for contributors name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`((?:quantune_mlir|tests|pipelines|docs|tools)/[\w/.]*)`")


def paths(document: str) -> list[str]:
    found = NAMED.findall((ROOT / document).read_text(encoding="utf-8"))
    return [path for path in found if "NAME" not in path and "STAGE" not in path and "name" not in path]


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md", "docs/kernels.md"])
def test_named_files_exist(document: str) -> None:
    missing = [path for path in paths(document) if not (ROOT / path).exists()]
    assert missing == []


def test_the_map_of_folders_has_all_of_them() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in (ROOT / "quantune_mlir").glob("*/__init__.py")}
    assert folders == set(re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE))
