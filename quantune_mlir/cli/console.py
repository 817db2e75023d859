"""What the commands share: errors without tracebacks, progress bars, tables."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from quantune_mlir.errors import QuantuneError
from quantune_mlir.files import write_atomically

P = ParamSpec("P")
R = TypeVar("R")

OUT: Final = Console(soft_wrap=True)
ERR: Final = Console(stderr=True, soft_wrap=True)


def reports_errors(command: Callable[P, R]) -> Callable[..., R]:
    """Adds --debug, and turns a user's mistake into one message and exit status 1; a traceback only with --debug."""

    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(command)
    def wrapped(*args: P.args, debug: bool, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except QuantuneError as error:
            if debug:
                raise
            click.echo(f"quantune: error: {error}", err=True)
            sys.exit(1)

    return wrapped


class Display:
    """Shows each stage of the work as a bar with an estimate, on stderr."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Callable[[], None]]:
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


def table(title: str, *columns: str, rows: list[list[str]]) -> Table:
    """A table whose first column is text and whose others are aligned to the right."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        made.add_row(*row)
    return made


def decibels(value: float | str | None) -> str:
    """A ratio in dB for people: one decimal, inf, or a dash where it is undefined."""
    return "-" if value is None else f"{float(value):.1f}"


def write_json(path: Path | None, content: Any) -> None:
    """Writes a JSON file whole, if a path is given."""
    if path is not None:
        write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
