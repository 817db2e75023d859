from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from quantune_mlir.cli import console
from quantune_mlir.cli.console import Column, print_table

COLUMNS = [
    Column("layer", ["a/very/long/name/of/a/layer", "b"], text=True),
    Column("op", ["Conv", "GlobalAveragePool"], text=True, optional=2),
    Column("SQNR", ["30.5", "-"]),
    Column("MSE", ["1.00e-03", "inf"], optional=5),
]


def printed(
    monkeypatch: pytest.MonkeyPatch, columns: Sequence[Column] = COLUMNS, *, width: int, terminal: bool
) -> list[str]:
    stream = io.StringIO()
    plain = Console(file=stream, width=width, force_terminal=terminal, no_color=True, color_system=None, soft_wrap=True)
    monkeypatch.setattr(console, "OUT", plain)
    print_table("Title", columns)
    return stream.getvalue().splitlines()


def test_a_pipe_gets_everything_however_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, width=20, terminal=False) == [
        "Title",
        "layer                        op                 SQNR       MSE",
        "a/very/long/name/of/a/layer  Conv               30.5  1.00e-03",
        "b                            GlobalAveragePool     -       inf",
    ]


@pytest.mark.parametrize(
    ("width", "header"),
    [
        (62, ["layer", "op", "SQNR", "MSE"]),
        (61, ["layer", "op", "SQNR"]),
        (51, ["layer", "SQNR"]),
        (10, ["layer", "SQNR"]),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns(monkeypatch: pytest.MonkeyPatch, width: int, header: list[str]) -> None:
    lines = printed(monkeypatch, width=width, terminal=True)
    assert lines[1].split() == header
    assert lines[2].startswith("a/very/long/name/of/a/layer  ")


def test_a_pipe_gets_prose_of_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    prose = ["word " * 50, "--a-flag-that-is-never-broken " * 5]
    columns = [Column("name", ["short", "x"], text=True, prose=True), Column("what", prose, text=True, prose=True)]
    lines = printed(monkeypatch, columns, width=20, terminal=False)
    assert 95 < max(map(len, lines)) <= 100
    assert sum(line.count("--a-flag-that-is-never-broken") for line in lines) == 5


def test_a_narrow_terminal_breaks_prose_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["a microcontroller with vectors", "short"]
    columns = [Column("name", ["m55", "m4"], text=True), Column("what", told, text=True, prose=True)]
    assert printed(monkeypatch, columns, width=30, terminal=True) == [
        "Title",
        "name  what",
        "m55   a microcontroller with",
        "      vectors",
        "m4    short",
    ]
