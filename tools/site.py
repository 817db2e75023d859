"""What `mkdocs build` is told beside mkdocs.yml: the README is the first page, and links have words for names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_ROOT: Final = Path(__file__).resolve().parents[1]
_DOCS: Final = _ROOT / "docs"
_OUTSIDE: Final = re.compile(r"(?<!!)\[([^\]]+)\]\((?:\.\./)+(?!docs/)[^)]*\)")
"""A link from a page to a file that is none."""
_NAMED: Final = re.compile(r"\[([\w/-]+\.md)\]\(\1(#[^)]*)?\)")
"""A link that is called by the page's file, as those who read the files want it."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the first page."""
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=from_docs(readme)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Leaves the text of links that lead out of the documentation; calls pages by their titles."""
    return _NAMED.sub(lambda link: f"[{_title(link[1])}]({link[1]}{link[2] or ''})", _OUTSIDE.sub(r"\1", markdown))


def from_docs(readme: str) -> str:
    """Links as they are from docs/, which README.md lies beside."""
    outside = re.sub(r"\]\((?!docs/|[a-z]+:|#)", "](../", readme)
    return outside.replace("](docs/", "](")


def _title(page: str) -> str:
    path = _DOCS / page
    first = path.read_text(encoding="utf-8").partition("\n")[0] if path.is_file() else page
    return first.removeprefix("# ")
