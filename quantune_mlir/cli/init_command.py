"""`quantune init`."""

from __future__ import annotations

from pathlib import Path

import click

from quantune_mlir.cli.inputs import FILE, STDOUT, json_option
from quantune_mlir.cli.reporting import reports_errors, summarize
from quantune_mlir.errors import OutputError


@click.command("init")
@click.argument("file", type=FILE, default=Path("quantune.yaml"))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option("the options, each with its default, choices and explanation,")
@reports_errors
def command(file: Path, force: bool, json_file: Path | None) -> None:
    """Write a file of all options of `quantune quantize`, each explained, for its --config.

    FILE is quantune.yaml, if no other is given; - is stdout.
    """
    from quantune_mlir.cli import quantize_command
    from quantune_mlir.cli.config_file import commented, described
    from quantune_mlir.cli.console import check_json, told_as_json
    from quantune_mlir.files.access import write_atomically

    check_json(json_file)
    if told_as_json(json_file, described(quantize_command.command)):
        return
    text = commented(quantize_command.command)
    if file == STDOUT:
        click.echo(text, nl=False)
        return
    if file.exists() and not force:
        raise OutputError("exists already", where=str(file), remedy="choose another, or give --force")
    write_atomically(file, text.encode())
    summarize(f"{file}: fill in what is marked with capitals, then run: quantune quantize --config {file}")
