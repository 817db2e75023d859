"""`quantune compile DIR -o Y` and `quantune compile X.mlir --target NAME -o Y`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantune_mlir.backend.deliverable import Activations, Deliverable
from quantune_mlir.cli.inputs import (
    FILE,
    activations_option,
    cache_option,
    deliverable_options,
    json_option,
    preprocess_option,
    tiles_option,
)
from quantune_mlir.cli.model_options import front_end_options, keep_quantized_option, model_options
from quantune_mlir.cli.reporting import Notes, reports_errors
from quantune_mlir.errors import OutputError, TilesError

if TYPE_CHECKING:
    import numpy as np

    from quantune_mlir.hardware.targets import Target
    from quantune_mlir.importers.common.import_options import ImportOptions
    from quantune_mlir.mlir.bindings import ir
    from quantune_mlir.samples.preprocess import Preprocess


@click.command("compile")
@click.argument("source", type=FILE)
@click.option(
    "--target",
    metavar="NAME",
    help="See `quantune targets`. [default: what the directory was quantized for; of a module: host]",
)
@click.option("-o", "--output", type=FILE, metavar="PATH", required=True, help="The .vmfb, .onnx or folder to write.")
@click.option("--force", is_flag=True, help="Replace an older folder of this command.")
@click.option(
    "--kernels/--no-kernels",
    default=True,
    show_default=True,
    help="Our kernels, or plain iree-compile of TOSA.",
)
@deliverable_options
@activations_option
@click.option(
    "--model",
    type=FILE,
    metavar="ONNX",
    help="The model's file, of which qdq-onnx is made. [default: where it was when it was quantized]",
)
@click.option(
    "--data",
    type=FILE,
    metavar="DATA",
    help="Samples; a bundle's self-test runs the first ones. [default: random numbers]",
)
@preprocess_option
@click.option(
    "--io",
    type=click.Choice(["fp32", "int8"]),
    default="fp32",
    show_default=True,
    help="What the inputs and outputs of a directory's program are.",
)
@click.option(
    "--integer-only/--no-integer-only",
    default=None,
    help="No floating-point number at all: of a directory whose layers are all integers. Implies --io int8. "
    "[default: what the directory was quantized with]",
)
@json_option("what was written, with sizes in bytes,")
@tiles_option
@model_options
@keep_quantized_option
@cache_option
@reports_errors
def command(
    source: Path,
    target: str | None,
    output: Path,
    force: bool,
    kernels: bool,
    deliverable: Deliverable,
    name: str,
    vectors: int,
    max_ram: int | None,
    max_flash: int | None,
    activations: Activations,
    model: Path | None,
    data: Path | None,
    preprocess: str | None,
    io: str,
    integer_only: bool | None,
    tiles_file: Path | None,
    json_file: Path | None,
    **chosen: Any,
) -> None:
    """Compile a module, a model, or the mixed module of a directory that `quantune quantize` wrote.

    A module may be text or bytecode. It is compiled with the kernels and flags of a target. A model is compiled as it
    is: in fp32, an ONNX model with QuantizeLinear nodes in int8 where they say so, and another that is quantized with
    --keep-quantized.
    """
    from quantune_mlir.backend.compilation import compile_program, load_tiles
    from quantune_mlir.backend.delivery import Delivery, write_files
    from quantune_mlir.cli.console import Display, check_json
    from quantune_mlir.cli.outcome import left_in_fp32
    from quantune_mlir.files.access import check_writable, write_atomically
    from quantune_mlir.hardware.targets import load_target
    from quantune_mlir.samples.preprocess import Preprocess
    from quantune_mlir.workflow.artifacts import DELIVERED, MIXED, Artifacts, check_output, written_as_a_whole
    from quantune_mlir.workflow.progress import of_kernels
    from quantune_mlir.workflow.qdq import qdq_of_directory
    from quantune_mlir.workflow.variants import Variants

    check_json(json_file)
    options = front_end_options(chosen)
    steps = None if preprocess is None else Preprocess.parse(preprocess)
    if deliverable == "qdq-onnx":
        check_writable(output)
        with Display().stage("write the plan as ONNX"):
            made = qdq_of_directory(source, model, activations)
        model_bytes = made.to_bytes()
        write_atomically(output, model_bytes)
        for warning in left_in_fp32(made):
            Notes().warn(warning)
        _tell(json_file, deliverable, None, {output.name: model_bytes})
        return
    title, in_integers = source.name, None
    if source.is_dir():
        artifacts = Artifacts.open(source)
        variants = Variants(artifacts)
        target, title, source = target or variants.options.target, variants.title, artifacts[MIXED]
        if integer_only is None:
            integer_only = variants.options.is_integer_only
        if io == "int8" or integer_only:
            in_integers = variants.for_integers(integer_only=integer_only)
    elif io == "int8" or integer_only:
        raise OutputError(
            "only what `quantune quantize` made can be given int8 inputs and outputs",
            where=str(source),
            remedy="name its directory, or leave out --io and --integer-only",
        )
    description = load_target(target or "host")
    if tiles_file is not None and not kernels:
        raise TilesError("are for our kernels", where="--tiles", remedy="leave out --no-kernels or --tiles")
    tiles = load_tiles(tiles_file, description)
    if deliverable == "vmfb":
        check_writable(output)
        loaded = in_integers or _loaded(source, options, description)
        display = Display()
        with display.stage(f"compile for {description.name}"):
            program = compile_program(loaded, description, kernels=kernels, tiles=tiles, compiling=of_kernels(display))
        write_atomically(output, program)
        _tell(json_file, deliverable, description, {output.name: program})
        return
    check_output(output, force=force, kind=DELIVERED)
    loaded = in_integers or _loaded(source, options, description)
    samples = _samples(loaded, data, steps)
    delivery = Delivery(deliverable, name, title, kernels, samples, max_ram, max_flash, vectors)
    delivery.check(description)
    with Display().stage(f"compile for {description.name}"):
        files = delivery.files(loaded, description, tiles=tiles)
    with written_as_a_whole(output, force=force, kind=DELIVERED) as folder:
        write_files(files, folder.directory)
    _tell(json_file, deliverable, description, files)


def _tell(json_file: Path | None, deliverable: Deliverable, target: Target | None, files: Mapping[str, bytes]) -> None:
    """What --json asks for; `target` is None where the deliverable is for any machine."""
    from quantune_mlir.cli.console import told_as_json

    sizes = {name: len(content) for name, content in sorted(files.items())}
    told = {"deliverable": deliverable, "target": None if target is None else target.name, "files": sizes}
    told_as_json(json_file, told)


def _loaded(source: Path, options: ImportOptions, target: Target) -> ir.Module:
    """A module of MLIR as it stands, whatever it holds; a model as it is imported."""
    from quantune_mlir.importers.front_ends import MLIR, ONNX, find_front_end
    from quantune_mlir.mlir.bindings import make_context
    from quantune_mlir.mlir.text import load_module
    from quantune_mlir.model import Model

    front_end = find_front_end(source, otherwise=MLIR)
    if front_end is MLIR:
        return load_module(source, make_context())
    if front_end is ONNX:  # its nodes tell which parts are int8
        options = replace(options, keep_quantized=True)
    return Model.imported(source, options, target.requantize).module


def _samples(module: ir.Module, data: Path | None, steps: Preprocess | None) -> Iterable[Sequence[np.ndarray]]:
    """The runs in `data`: real numbers, where the module reads codes that stand for such."""
    import numpy as np

    from quantune_mlir.mlir.function import main_function
    from quantune_mlir.mlir.qparams import boundary_params
    from quantune_mlir.mlir.signature import argument_specs
    from quantune_mlir.samples.sample_set import InputSpec, SampleSet

    if data is None:
        return ()
    function = main_function(module)
    specs = argument_specs(function)
    inputs = [
        InputSpec(name, shape, dtype if params is None else np.dtype(np.float32))
        for (name, shape, dtype), params in zip(specs, boundary_params(function, "arg_attrs", len(specs)), strict=True)
    ]
    return SampleSet.open(data, inputs, preprocess=steps)
