"""`quantune run Y.vmfb --input x.npy --output y.npy`."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from quantune_mlir.cli.console import OUT, reports_errors
from quantune_mlir.cli.inputs import FILE
from quantune_mlir.errors import DataError, OutputError
from quantune_mlir.execution.program import Program
from quantune_mlir.files import check_writable, write_array


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
    for path in outputs:
        check_writable(path)
    results = Program(program)(*(_load(path) for path in inputs))
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


def _load(path: Path) -> NDArray[np.generic]:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, EOFError) as error:
        raise DataError(f"this is no .npy file: {error}", where=str(path)) from error
    if not isinstance(array, np.ndarray):
        raise DataError("this is an .npz", where=str(path), remedy="save one array with numpy.save")
    return array
