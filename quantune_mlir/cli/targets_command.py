"""`quantune targets`."""

from __future__ import annotations

import click

from quantune_mlir import resources
from quantune_mlir.cli.console import OUT, reports_errors, table
from quantune_mlir.execution.targets import load_target


@click.command("targets")
@reports_errors
def command() -> None:
    """List the targets that programs can be compiled for."""
    targets = [load_target(name) for name in sorted(resources.targets())]
    made = table(
        "Targets", "target", "requantize", "description", rows=[[t.name, t.requantize, t.description] for t in targets]
    )
    for column in made.columns:
        column.justify = "left"
    OUT.print(made)
