"""`quantune targets`."""

from __future__ import annotations

import click

from quantune_mlir.cli.reporting import reports_errors


@click.command("targets")
@click.argument("name", required=False)
@reports_errors
def command(name: str | None) -> None:
    """List the targets that programs can be compiled for, or tell all about one."""
    from quantune_mlir.cli import tables
    from quantune_mlir.files import resources
    from quantune_mlir.hardware.targets import load_target

    if name is not None:
        tables.print_target(load_target(name))
        return
    tables.print_targets([load_target(name) for name in sorted(resources.targets())])
