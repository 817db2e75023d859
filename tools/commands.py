"""Writes docs/commands.md: what each command says of itself with --help.

python -m tools.commands
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from quantune_mlir.cli.quantune import main as quantune
from quantune_mlir.cli.quantune_opt import main as quantune_opt

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
_WIDTH: Final = 100
_HEAD: Final = """# Commands

What each command says with `--help`, written by `python -m tools.commands`. `quantune init` writes the options of
`quantune quantize` as a file with comments ([formats.md](formats.md#configyaml)).
"""


def page() -> str:
    """The whole page."""
    sections = [f"## {name}\n\n```text\n{text}\n```\n" for name, text in (*_all(quantune, "quantune"), _opt())]
    return "\n".join([_HEAD, *sections])


def _all(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Name and help of a command and of those below it."""
    context = _context(command, name.rpartition(" ")[2], parent)
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None, "it is listed"
            yield from _all(found, f"{name} {below}", context)


def _opt() -> tuple[str, str]:
    return "quantune-opt", quantune_opt.get_help(_context(quantune_opt, "quantune-opt", None))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings: dict[str, Any] = {**command.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}
    return click.Context(command, parent, info_name=name, **settings)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
