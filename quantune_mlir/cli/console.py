"""What the commands print with: progress bars, tables, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from quantune_mlir.files.access import write_atomically
from quantune_mlir.printable import printable

_GAP: Final = 2

P = ParamSpec("P")
R = TypeVar("R")

OUT: Final = Console(soft_wrap=True, markup=False, highlight=False, emoji=False)
ERR: Final = Console(stderr=True, soft_wrap=True, markup=False, emoji=False)


class Display:
    """Shows each stage of the work as a bar with an estimate, on stderr."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Generator[Callable[[], None]]:
        """A bar that stays, finished, on the screen."""
        columns = (
            TextColumn("{task.description:32s}"),
            BarColumn(),
            *([MofNCompleteColumn()] if total else []),
            TimeElapsedColumn(),
            *([TimeRemainingColumn()] if total else []),
        )
        with Bars(*columns, console=ERR, disable=not ERR.is_terminal) as bars:
            task = bars.add_task(name, total=total)
            yield lambda: bars.advance(task)
            bars.update(task, total=total or 1, completed=total or 1)


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: its heading.
        cells: its cells, from the top.
        text: aligned to the left; numbers are aligned to the right.
        optional: what a terminal too narrow for all leaves out first; 0 is never left out.
    """

    title: str
    cells: Sequence[str]
    text: bool = False
    optional: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", [printable(cell) for cell in self.cells])

    @property
    def width(self) -> int:
        """Of its widest cell."""
        return max(map(len, (self.title, *self.cells)))


def print_table(title: str, columns: Sequence[Column]) -> None:
    """Prints a table on stdout. Cells are never cut: people copy layer names from them, and scripts read pipes."""
    shown = list(columns)
    width = OUT.width if OUT.is_terminal else None
    while width is not None and sum(column.width + _GAP for column in shown) - _GAP > width:
        spare = max(shown, key=lambda column: column.optional)
        if not spare.optional:
            break
        shown.remove(spare)
    OUT.print(title, style="italic")
    OUT.print(_line(shown, [column.title for column in shown]), style="bold")
    for row in zip(*(column.cells for column in shown), strict=True):
        OUT.print(_line(shown, row))


def _line(columns: Sequence[Column], cells: Sequence[str]) -> str:
    aligned = (
        cell.ljust(column.width) if column.text else cell.rjust(column.width)
        for column, cell in zip(columns, cells, strict=True)
    )
    return (_GAP * " ").join(aligned).rstrip()


def write_json(path: Path | None, content: Any) -> None:
    """Writes a JSON file whole, if a path is given."""
    if path is not None:
        write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
