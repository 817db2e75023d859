from __future__ import annotations

import pytest

from tools.names import chosen


def test_names_are_those_given_or_the_default() -> None:
    assert chosen("b,a", "abc") == ["b", "a"]
    assert chosen("all", "abc") == ["a", "b", "c"]
    assert chosen("all", "abc", ["b"]) == ["b"]


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown d, e; known: a, b, c"):
        chosen("a,d,e", "abc")
