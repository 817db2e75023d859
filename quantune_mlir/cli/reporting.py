"""What every command has: errors without tracebacks, and options that say how much is told."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Callable
from enum import IntEnum
from typing import Final, NoReturn, ParamSpec, TypeVar

import click

from quantune_mlir.errors import QuantuneError

P = ParamSpec("P")
R = TypeVar("R")

_KEY: Final = "quantune_mlir.verbosity"


class Verbosity(IntEnum):
    """How much a command tells beside what it was asked for."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


def verbosity() -> Verbosity:
    """That of the command that runs."""
    context = click.get_current_context(silent=True)
    return Verbosity.NORMAL if context is None else context.meta.get(_KEY, Verbosity.NORMAL)


def _tell(level: Verbosity) -> Callable[[click.Context, click.Parameter, bool], None]:
    def chosen(context: click.Context, parameter: click.Parameter, given: bool) -> None:
        if given:
            context.meta[_KEY] = level

    return chosen


def summarize(line: str = "") -> None:
    """Prints a line of a summary, which --quiet leaves out."""
    if verbosity() is not Verbosity.QUIET:
        click.echo(line)


class Notes:
    """What a command tells on stderr beside its work, as it is told, and in the end all of it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, text: str) -> None:
        """Tell something."""
        click.echo(f"quantune: {text}", err=True)
        self.told.append(text)

    def warn(self, text: str) -> None:
        """Tell something that may have to be mended."""
        self.tell(f"warning: {text}")


def fail(error: QuantuneError) -> NoReturn:
    """Say what a user can mend, and end with status 1."""
    click.echo(f"quantune: error: {error}", err=True)
    sys.exit(1)


def reports_errors(command: Callable[P, R]) -> Callable[..., R]:
    """Adds --quiet, --verbose and --debug, and turns a user's mistake into one message and exit status 1."""

    @click.option("--debug", is_flag=True, help="Show the traceback of an error, and keep the IR that failed.")
    @click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_tell(Verbosity.VERBOSE),
        help="Tell more: of each layer and each stage.",
    )
    @click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_tell(Verbosity.QUIET),
        help="Show no progress and no summary; warnings and errors remain.",
    )
    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        debug = kwargs.pop("debug")
        if debug:
            os.environ.setdefault("QUANTUNE_KEEP_IR", tempfile.gettempdir())
        try:
            return command(*args, **kwargs)
        except QuantuneError as error:
            if debug:
                raise
            fail(error)

    return wrapped
