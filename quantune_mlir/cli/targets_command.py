"""`quantune targets`."""

from __future__ import annotations

from pathlib import Path

import click

from quantune_mlir.cli.inputs import json_option
from quantune_mlir.cli.reporting import reports_errors


@click.command("targets")
@click.argument("name", required=False)
@json_option("all that is known of them")
@reports_errors
def command(name: str | None, json_file: Path | None) -> None:
    """List the targets that programs can be compiled for, or tell all about one."""
    from quantune_mlir.cli import tables
    from quantune_mlir.cli.console import told_as_json
    from quantune_mlir.files import resources
    from quantune_mlir.hardware.targets import load_target

    targets = [load_target(each) for each in ([name] if name is not None else sorted(resources.targets()))]
    if told_as_json(json_file, [target.model_dump(mode="json") for target in targets]):
        return
    if name is not None:
        tables.print_target(targets[0])
    else:
        tables.print_targets(targets)
