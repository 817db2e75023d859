"""`quantune compile X.mlir --target NAME -o Y.vmfb`."""

from __future__ import annotations

from pathlib import Path

import click

from quantune_mlir.cli.console import Display, reports_errors
from quantune_mlir.cli.inputs import FILE, tiles_option
from quantune_mlir.errors import TilesError
from quantune_mlir.execution.targets import load_target
from quantune_mlir.files import check_writable, write_atomically
from quantune_mlir.ir.mlir import make_context
from quantune_mlir.ir.text import load_module
from quantune_mlir.workflow.compilation import compile_program, load_tiles


@click.command("compile")
@click.argument("module", type=FILE)
@click.option("--target", metavar="NAME", default="host", show_default=True, help="See `quantune targets`.")
@click.option("-o", "--output", type=FILE, metavar="FILE", required=True, help="The .vmfb to write.")
@click.option(
    "--kernels/--no-kernels",
    default=True,
    show_default=True,
    help="Our kernels, or plain iree-compile of TOSA.",
)
@tiles_option
@reports_errors
def command(module: Path, target: str, output: Path, kernels: bool, tiles_file: Path | None) -> None:
    """Compile a module, text or bytecode, with the kernels and flags of a target."""
    description = load_target(target)
    check_writable(output)
    if tiles_file is not None and not kernels:
        raise TilesError("are for our kernels", where="--tiles", remedy="leave out --no-kernels or --tiles")
    tiles = load_tiles(tiles_file, description)
    loaded = load_module(module, make_context())
    with Display().stage(f"compile for {target}"):
        program = compile_program(loaded, description, kernels=kernels, tiles=tiles)
    write_atomically(output, program)
