"""Every command and every Python block of README.md and docs/ runs: page by page, in order, in a folder of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quantune_mlir.cli.quantune import main
from tests.e2e.pages import PAGES, REPOSITORY, blocks, furnish, run

pytestmark = pytest.mark.slow

LEFT_OUT = [
    ("README.md", "makes its own environment; tests/e2e/test_detector.py runs what it does"),
    ("README.md", "installs the package; tests/e2e/test_install.py does that in an environment of its own"),
    ("quickstart.md", "makes its own environment; tests/e2e/test_detector.py runs what it does"),
    ("quickstart.md", "installs the package; tests/e2e/test_install.py does that in an environment of its own"),
    ("microcontrollers.md", "needs a cross compiler and qemu; tests/e2e/test_c_bundle.py runs it where they are"),
    ("cluster.md", "needs a cluster; tests/e2e/test_workers.py starts one where dask is"),
    ("cluster.md", "needs a cluster; tests/e2e/test_workers.py starts one where dask is"),
    ("cluster.md", "needs Ray; tests/e2e/test_workers.py runs it where Ray is"),
    ("cluster.md", "parts of a program that runs on several machines"),
    ("performance.md", "measures for hours, on a model zoo"),
    (
        "pytorch.md",
        "needs PyTorch and torchvision; tests/e2e/test_foreign_networks.py exports a network where PyTorch is",
    ),
]
"""What no test runs, and why: the pages say the same in the blocks' titles."""

RUN = [page for page in PAGES if any(block.runs for block in blocks(page.read_text("utf-8")))]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `quantune quantize` writes of the sample network."""
    directory = tmp_path_factory.mktemp("ready") / "out"
    data = REPOSITORY / "tests" / "data"
    model, samples = data / "digits.onnx", data / "digits_calibration.npz"
    with pytest.raises(SystemExit, match="0"):
        main(["quantize", str(model), "--calibration", str(samples), "--output", str(directory)])
    return directory


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_page_runs(page: Path, ready: Path, tmp_path: Path) -> None:
    furnish(tmp_path, ready)
    for block in blocks(page.read_text("utf-8")):
        run(block, page, tmp_path)


def test_what_is_left_out_is_listed_with_its_reason() -> None:
    found = [(page.name, block.reason) for page in PAGES for block in blocks(page.read_text("utf-8")) if block.reason]
    assert sorted(found) == sorted(LEFT_OUT)


def test_no_command_hides_in_a_block_of_another_kind() -> None:
    hidden = [
        f"{page.name}:{block.line}"
        for page in PAGES
        for block in blocks(page.read_text("utf-8"))
        if block.language not in ("console", "text") and re.search(r"^\$? ?(quantune|iree)\S* ", block.text, re.M)
    ]
    assert hidden == []


def test_blocks_are_found_with_their_lines_titles_and_indents() -> None:
    page = '# A\n```python title="a.py"\nx = 1\n```\n1. b\n\n    ```console\n    $ c \\\n        d\n    e\n    ```\n'
    first, second = blocks(page)
    assert (first.line, first.file, first.text, first.runs) == (3, "a.py", "x = 1\n", True)
    assert (second.line, second.script, second.reason) == (8, "c      d", None)
    (left,) = blocks('```console title="Not run in tests: no board"\n$ x\n```\n')
    assert (left.reason, left.file, left.runs) == ("no board", None, False)


def test_a_block_that_fails_is_told_with_its_page_and_line(tmp_path: Path) -> None:
    (block,) = blocks("text\n\n```console\n$ true\n$ false\n$ true\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:4"):
        run(block, Path("page.md"), tmp_path)


def test_the_readme_has_one_python_example_of_about_ten_lines() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    (code,) = (block.text for block in blocks(readme) if block.language == "python")
    assert 5 <= len([line for line in code.splitlines() if line]) <= 12
