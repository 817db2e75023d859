from __future__ import annotations

import pytest

from quantune_mlir.errors import ModelError, UnsupportedNode, UnsupportedOperatorsError
from quantune_mlir.printable import printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv1/weights µ é 層", "conv1/weights µ é 層"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u200fc\ud800", "a\\u202eb\\u200fc\\ud800"),
        ("two\nlines\r", "two\\nlines\\r"),
    ],
)
def test_what_a_terminal_obeys_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_may_stay() -> None:
    assert printable("two\nlines\x1b", lines=True) == "two\nlines\\x1b"


def test_errors_are_printable() -> None:
    hostile = "x\x1b[2J\nremedy: run rm -rf"
    nodes = [UnsupportedNode(hostile, hostile, "y" * 10_000)]
    for error in (ModelError("bad", where=hostile), UnsupportedOperatorsError(nodes, where=hostile)):
        assert "\x1b" not in str(error) and "\nremedy: run" not in str(error)
        assert len(str(error)) < 2000


def test_shortened() -> None:
    assert shortened("abc") == "abc"
    assert shortened("a" * 500 + "z").endswith("az") and len(shortened("a" * 500)) <= 200
