"""The files that documents for contributors, and modules, name are there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`((?:quantune_mlir|tests|pipelines|docs|tools)/[\w/.]*)`")


def paths(document: str) -> list[str]:
    found = NAMED.findall((ROOT / document).read_text(encoding="utf-8"))
    return [path for path in found if "NAME" not in path and "STAGE" not in path and "name" not in path]


@pytest.mark.parametrize(
    "document", ["CONTRIBUTING.md", "docs/architecture.md", "docs/extending.md", "docs/kernels.md", "docs/lit.md"]
)
def test_named_files_exist(document: str) -> None:
    missing = [path for path in paths(document) if not (ROOT / path).exists()]
    assert missing == []


def test_modules_named_in_modules_exist() -> None:
    modules = [
        *(ROOT / "quantune_mlir").rglob("*.py"),
        *(ROOT / "tools").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
    ]
    names = {path.name for path in modules}
    named = {
        (path.name, name)
        for path in modules
        if path.is_relative_to(ROOT / "quantune_mlir")
        for name in re.findall(r"\b[a-z_]\w*\.py\b", path.read_text(encoding="utf-8"))
    }
    assert sorted((where, name) for where, name in named if name not in names) == []


def test_the_map_of_folders_has_all_of_them() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in (ROOT / "quantune_mlir").glob("*/__init__.py")}
    assert folders == set(re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE))


def test_the_site_is_built_without_a_broken_link(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install --group docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert 'src="images/detector.svg"' in first and 'href="quickstart.html"' in first
    assert not re.search(r"""(src|href)=["']?https?://[^"'> ]*\.(js|css|woff2?)""", first), "it needs no network"


def test_links_of_documents_outside_the_site_lead_somewhere() -> None:
    names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
    links = [
        (name, link) for name in names for link in re.findall(r"\]\(([^)#:]+)[)#]", (ROOT / name).read_text("utf-8"))
    ]
    assert [(name, link) for name, link in links if not (ROOT / link).exists()] == []
