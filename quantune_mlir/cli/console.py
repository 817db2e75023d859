"""What the commands print with: progress bars, tables, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from threading import Lock
from typing import Any, Final

import click
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from quantune_mlir.cli.inputs import STDOUT
from quantune_mlir.cli.reporting import Verbosity, verbosity
from quantune_mlir.files.access import check_writable, write_atomically
from quantune_mlir.printable import printable

_GAP: Final = 2
_LEAST_PROSE: Final = 16
"""Columns of prose that are narrower are as wide as they are."""

_PAGE: Final = 100
"""Columns of text in pipes, where prose can be broken."""

OUT: Final = Console(soft_wrap=True, markup=False, highlight=False, emoji=False)
ERR: Final = Console(stderr=True, soft_wrap=True, markup=False, emoji=False)


class _Counted(ProgressColumn):
    """A column of those bars whose steps are counted."""

    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> RenderableType:
        return self._column(task) if task.fields["counted"] else ""


class Display:
    """Shows each stage of the work as a bar on a terminal's stderr, with an estimate where its steps are counted.

    Finished bars go, unless --verbose keeps them as a protocol of what took how long. Stages may be within others.
    """

    def __init__(self) -> None:
        self._bars = Bars(console=ERR)
        self._open = 0
        self._changing = Lock()

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Generator[Callable[[], None]]:
        """A bar."""
        kept = verbosity() is Verbosity.VERBOSE
        with self._changing:
            if not self._open:
                self._bars = _bars(transient=not kept)
                self._bars.start()
            self._open += 1
            bars = self._bars
            task = bars.add_task(name, total=total, counted=total is not None)
        try:
            yield lambda: bars.advance(task)
            bars.update(task, total=total or 1, completed=total or 1)
        finally:
            with self._changing:
                self._open -= 1
                if not self._open:
                    bars.stop()
                elif not kept:
                    bars.remove_task(task)


def _bars(*, transient: bool) -> Bars:
    columns = (
        TextColumn("{task.description:32s}"),
        BarColumn(),
        _Counted(MofNCompleteColumn()),
        TimeElapsedColumn(),
        _Counted(TimeRemainingColumn()),
    )
    silent = verbosity() is Verbosity.QUIET or not ERR.is_terminal
    return Bars(*columns, console=ERR, disable=silent, transient=transient)


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: its heading.
        cells: its cells, from the top.
        text: aligned to the left; numbers are aligned to the right.
        optional: what a terminal too narrow for all leaves out first; 0 is never left out.
        prose: sentences, between whose words lines are broken that are too long.
    """

    title: str
    cells: Sequence[str]
    text: bool = False
    optional: int = 0
    prose: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", [printable(cell) for cell in self.cells])

    @property
    def width(self) -> int:
        """The width of its widest cell."""
        return max(map(len, (self.title, *self.cells)))


def print_table(title: str, columns: Sequence[Column]) -> None:
    """Prints a table on stdout. Cells are never cut: people copy layer names from them, and scripts read pipes.

    On a terminal too narrow for it columns are left out that need not be there. Prose goes on in the next line, in
    pipes, too.
    """
    shown = list(columns)
    width = OUT.width if OUT.is_terminal else None
    while width is not None and _width(shown) > width:
        spare = max(shown, key=lambda column: column.optional)
        if not spare.optional:
            break
        shown.remove(spare)
    for line in wrap(title, width or _PAGE):
        OUT.print(line, style="italic")
    room = _room(shown, width or _PAGE)
    OUT.print(_line(shown, [column.title for column in shown], room), style="bold")
    for row in zip(*(column.cells for column in shown), strict=True):
        cells = [_broken(c, room) if room and column.prose else [c] for column, c in zip(shown, row, strict=True)]
        for line in zip_longest(*cells, fillvalue=""):
            OUT.print(_line(shown, line, room))


def _broken(cell: str, room: int) -> list[str]:
    return wrap(cell, room, break_on_hyphens=False, break_long_words=False)


def _width(columns: Sequence[Column], room: int | None = None) -> int:
    return sum(_taken(column, room) + _GAP for column in columns) - _GAP


def _taken(column: Column, room: int | None) -> int:
    return min(column.width, room) if room and column.prose else column.width


def _room(columns: Sequence[Column], width: int) -> int | None:
    """How wide columns of prose may be for all to fit; None if they do, or if there is no use in it."""
    widths = sorted(column.width for column in columns if column.prose)
    if not widths or _width(columns) <= width:
        return None
    left = width - _width([column for column in columns if not column.prose]) - len(widths) * _GAP
    while len(widths) > 1 and widths[0] <= left // len(widths):
        left -= widths.pop(0)  # Narrow ones leave room to the others.
    room = left // len(widths)
    return room if room >= _LEAST_PROSE else None


def _line(columns: Sequence[Column], cells: Sequence[str], room: int | None = None) -> str:
    aligned = (
        cell.ljust(_taken(column, room)) if column.text else cell.rjust(column.width)
        for column, cell in zip(columns, cells, strict=True)
    )
    return (_GAP * " ").join(aligned).rstrip()


def check_json(file: Path | None) -> None:
    """Fail early if what --json names cannot be written. Raises OutputError."""
    if file is not None and file != STDOUT:
        check_writable(file)


def told_as_json(file: Path | None, content: Any) -> bool:
    """Writes a JSON file whole, if a path is given; whether it went to stdout, which then takes nothing else."""
    if file is None:
        return False
    text = json.dumps(content, indent=1) + "\n"
    if file == STDOUT:
        click.echo(text, nl=False)
        return True
    write_atomically(file, text.encode())
    return False
