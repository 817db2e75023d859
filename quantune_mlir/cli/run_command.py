"""`quantune run Y.vmfb --input x.npy --output y.npy`."""

from __future__ import annotations

from pathlib import Path

import click

from quantune_mlir.cli.inputs import FILE
from quantune_mlir.cli.reporting import reports_errors
from quantune_mlir.errors import OutputError


@click.command("run")
@click.argument("program", type=FILE)
@click.option(
    "--input",
    "inputs",
    type=FILE,
    metavar="FILE",
    multiple=True,
    required=True,
    help="A .npy for each input, in order.",
)
@click.option(
    "--output",
    "outputs",
    type=FILE,
    metavar="FILE",
    multiple=True,
    help="A .npy for each output, in order. [default: print]",
)
@reports_errors
def command(program: Path, inputs: tuple[Path, ...], outputs: tuple[Path, ...]) -> None:
    """Run a compiled program once."""
    from quantune_mlir.backend.program import Program
    from quantune_mlir.cli.console import OUT
    from quantune_mlir.files.access import check_writable, write_array
    from quantune_mlir.samples.sources import load_array

    for path in outputs:
        check_writable(path)
    results = Program(program)(*(load_array(path) for path in inputs))
    if not outputs:
        for index, result in enumerate(results):
            OUT.print(f"result {index}: {result.dtype}{list(result.shape)}\n{result}")
        return
    if len(outputs) != len(results):
        raise OutputError(
            f"the program has {len(results)} output(s), not {len(outputs)}",
            where="--output",
            remedy="give one file for each, or none",
        )
    for path, result in zip(outputs, results, strict=True):
        write_array(path, result)
