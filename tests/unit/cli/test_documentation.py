"""What the pages say of commands is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from quantune_mlir.cli.quantune import main
from tools.commands import PAGE, page

REPOSITORY = Path(__file__).parents[3]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def commands(markdown: str) -> list[str]:
    """The lines of console blocks that call `quantune`."""
    blocks = re.findall(r"^```console\n(.*?)^```$", markdown.replace("\\\n", " "), flags=re.MULTILINE | re.DOTALL)
    lines = [line.partition(" #")[0] for block in blocks for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ quantune ")]


def refused(line: str) -> str | None:
    """Why the command line cannot be parsed; None if it can."""
    arguments = shlex.split(line)[1:]
    context = click.Context(main, info_name="quantune")
    command: click.Command = main
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments.pop(0))
        if found is None:
            return "no such command"
        command = found
    try:
        command.make_parser(click.Context(command)).parse_args(list(arguments))
    except click.UsageError as error:
        return error.format_message()
    return None


def test_the_page_of_commands_is_what_they_say() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tools.commands"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_in_pages_can_be_given(path: Path) -> None:
    assert {line: why for line in commands(path.read_text("utf-8")) if (why := refused(line))} == {}


def test_a_wrong_command_is_found() -> None:
    block = "```console\n$ quantune bench x --nothing 1\n$ ls\n```\n"
    assert commands(block) == ["quantune bench x --nothing 1"]
    assert refused("quantune bench x --nothing 1") is not None and refused("quantune nothing") == "no such command"
