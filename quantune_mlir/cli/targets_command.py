"""`quantune targets`."""

from __future__ import annotations

import click

from quantune_mlir import resources
from quantune_mlir.cli import tables
from quantune_mlir.cli.console import reports_errors
from quantune_mlir.execution.targets import load_target


@click.command("targets")
@reports_errors
def command() -> None:
    """List the targets that programs can be compiled for."""
    tables.print_targets([load_target(name) for name in sorted(resources.targets())])
