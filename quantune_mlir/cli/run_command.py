"""`quantune run PROGRAM --input samples.npz --output outputs.npz`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from quantune_mlir.cli.inputs import FILE, json_option, preprocess_option
from quantune_mlir.cli.reporting import reports_errors
from quantune_mlir.errors import OutputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ARCHIVE: Final = ".npz"


@click.command("run")
@click.argument("program", type=FILE)
@click.option(
    "--input",
    "inputs",
    type=FILE,
    metavar="FILE",
    multiple=True,
    required=True,
    help="An .npz or a folder of .npy files with an array for each input, an .npy for each, in order, or a folder of "
    "pictures. An array may hold many samples along axis 0.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    type=FILE,
    metavar="FILE",
    multiple=True,
    help="An .npz for all outputs, or an .npy for each, in order. [default: print]",
)
@preprocess_option
@json_option("the outputs, by name,")
@reports_errors
def command(
    program: Path, inputs: tuple[Path, ...], outputs: tuple[Path, ...], preprocess: str | None, json_file: Path | None
) -> None:
    """Run a compiled program over samples.

    PROGRAM is a .vmfb, or an output directory of `quantune quantize`.
    """
    from quantune_mlir.backend.program import Program
    from quantune_mlir.cli.console import OUT, Display, check_json, told_as_json
    from quantune_mlir.files.access import check_writable
    from quantune_mlir.samples.preprocess import Preprocess
    from quantune_mlir.workflow.artifacts import PROGRAM, Artifacts
    from quantune_mlir.workflow.running import run_over

    check_json(json_file)
    for path in outputs:
        check_writable(path)
    file = Artifacts.open(program)[PROGRAM] if program.is_dir() else program
    steps = None if preprocess is None else Preprocess.parse(preprocess)
    results = run_over(Program(file), inputs, Display(), steps)
    _write(outputs, results)
    if told_as_json(json_file, {name: result.tolist() for name, result in results.items()}) or outputs:
        return
    for name, result in results.items():
        OUT.print(f"{name}: {result.dtype}{list(result.shape)}\n{result}")


def _write(files: tuple[Path, ...], results: dict[str, NDArray[np.generic]]) -> None:
    """Writes all outputs to one archive, or each to a file of its own. Raises OutputError."""
    import io

    import numpy as np

    from quantune_mlir.files.access import write_array, write_atomically

    if not files:
        return
    if len(files) == 1 and files[0].suffix == _ARCHIVE:
        content, arrays = io.BytesIO(), dict[str, Any](results)
        np.savez_compressed(content, **arrays)
        write_atomically(files[0], content.getvalue())
        return
    if len(files) != len(results):
        raise OutputError(
            f"the program has {len(results)} output(s), not {len(files)}",
            where="--output",
            remedy="give one file for each, one .npz for all, or none",
        )
    for path, result in zip(files, results.values(), strict=True):
        write_array(path, result)
