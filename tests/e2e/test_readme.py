"""The Python examples of the README run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "README.md"


def python_blocks(markdown: str) -> list[tuple[int, str]]:
    """The blocks fenced as ```python, each with the number of its first line."""
    blocks = re.finditer(r"^```python\n(.*?)^```$", markdown, flags=re.MULTILINE | re.DOTALL)
    return [(markdown.count("\n", 0, block.start(1)) + 1, block[1]) for block in blocks]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "code"), python_blocks(DOCUMENT.read_text("utf-8")))
def test_python_example_runs(line: int, code: str, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "data").symlink_to(REPOSITORY / "tests" / "data")
    padded = "\n" * (line - 1) + code  # so that a traceback names the README's own lines
    script = "import sys; exec(compile(sys.stdin.read(), sys.argv[1], 'exec'))"
    command = [sys.executable, "-c", script, str(DOCUMENT)]
    done = subprocess.run(command, cwd=tmp_path, input=padded, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_python_blocks_are_found_with_their_lines() -> None:
    markdown = "# A\n```python\nx = 1\ny = 2\n```\ntext\n```console\n$ no\n```\n```python\nz = 3\n```\n"
    assert python_blocks(markdown) == [(3, "x = 1\ny = 2\n"), (11, "z = 3\n")]


def test_the_readme_has_one_python_example_of_about_ten_lines() -> None:
    ((_, code),) = python_blocks(DOCUMENT.read_text("utf-8"))
    assert 5 <= len([line for line in code.splitlines() if line]) <= 12
