"""Names as tools take them on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ALL = "all"


def chosen(text: str, known: Iterable[str], default: Sequence[str] | None = None) -> list[str]:
    """The names in `text`, separated by commas; `all` is `default`, or all that are known.

    Raises:
        ValueError: one is not known.
    """
    names = list(known)
    if text == ALL:
        return names if default is None else list(default)
    wanted = text.split(",")
    if unknown := [name for name in wanted if name not in names]:
        raise ValueError(f"unknown {', '.join(unknown)}; known: {', '.join(names)}")
    return wanted
