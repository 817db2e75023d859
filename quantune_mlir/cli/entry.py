"""What the installed commands call: heeds signals before anything large is imported, then starts the work."""

from __future__ import annotations

from quantune_mlir.cli.stopping import reports_stop


def quantune() -> None:
    """The command `quantune`."""
    _start("quantune", "quantune_mlir.cli.quantune")


def quantune_opt() -> None:
    """The command `quantune-opt`."""
    _start("quantune-opt", "quantune_mlir.cli.quantune_opt")


def _start(program: str, module: str) -> None:
    with reports_stop(program):
        from quantune_mlir.cli.apart import run_apart

        run_apart(program, module)
