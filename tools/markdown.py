"""Cells and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MISSING = "–"


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """The first column to the left, all others to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *body))


def number(value: float | None, digits: int) -> str:
    """A number, or that there is none."""
    return MISSING if value is None else f"{value:.{digits}f}"


def score(value: float | None) -> str:
    """A share such as a top-1, without the zero before the point."""
    text = number(value, 3)
    return text.removeprefix("0") if value is not None else text
