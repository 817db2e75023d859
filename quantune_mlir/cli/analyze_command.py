"""`quantune analyze MODEL --calibration DATA`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from quantune_mlir.cli.inputs import (
    FILE,
    cache_option,
    calibration_option,
    json_option,
    preprocess_option,
    profile_option,
    quantization_options,
    quantize_options,
    scheduler_option,
    workers_of,
)
from quantune_mlir.cli.model_options import import_options, model_options
from quantune_mlir.cli.reporting import reports_errors
from quantune_mlir.planning.metric import Metric


@click.command("analyze")
@click.argument("model", type=FILE)
@calibration_option
@preprocess_option
@profile_option
@click.option(
    "--metric",
    type=click.Choice([m.value for m in Metric]),
    metavar="METRIC",
    help="Sort by it, not by what the policies go by: " + ", ".join(Metric) + ".",
)
@json_option("the sensitivity list")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write the sensitivity list as YAML.")
@quantization_options
@model_options
@scheduler_option
@cache_option
@reports_errors
def command(
    model: Path,
    calibration: Path,
    preprocess: str | None,
    profile_file: Path | None,
    metric: str | None,
    json_file: Path | None,
    output: Path | None,
    scheduler: str | None,
    **chosen: Any,
) -> None:
    """Print how sensitive each layer is to int8, the most sensitive first, from two inference runs.

    In dB: SQNR at the layer's output with every layer in int8, delta what of that this layer makes worse, local the
    SQNR at its output with this layer alone in int8, weights that of its weights.

    An ONNX model with QuantizeLinear nodes is compared with itself without its roundings, in one run; local is then the
    noise of the rounding that the layer ends in. What quantizes has no say there.
    """
    from quantune_mlir.cli import tables
    from quantune_mlir.cli.console import Display, check_json, told_as_json
    from quantune_mlir.errors import DataError, QuantizedModelError
    from quantune_mlir.files.access import check_writable, write_atomically
    from quantune_mlir.model import Model
    from quantune_mlir.numerics.profile import Profile
    from quantune_mlir.samples.preprocess import Preprocess
    from quantune_mlir.samples.sample_set import SampleSet
    from quantune_mlir.workflow.inference_runs import analyze, analyze_quantized
    from quantune_mlir.workflow.kept_models import load_model
    from quantune_mlir.workflow.progress import Stopwatch

    imported = import_options(chosen)
    options = quantize_options(**chosen)
    check_json(json_file)
    if output is not None:
        check_writable(output)
    steps = None if preprocess is None else Preprocess.parse(preprocess)
    workers = workers_of(scheduler)
    display = Display()
    watch, is_quantized = Stopwatch(display), False
    with display.stage("import"):
        try:
            loaded = load_model(model, calibration, imported)
        except QuantizedModelError:
            loaded, is_quantized = Model.rounded(model, samples=calibration, **imported), True
    samples = SampleSet.open(calibration, loaded.inputs, options.samples, options.seed, steps)
    if is_quantized:
        if profile_file is not None:
            raise DataError("a quantized model has its ranges", where="--profile", remedy="leave it out")
        ranked = analyze_quantized(loaded, samples, watch, options.requantize or "float", workers)
    else:
        profile = Profile.load(profile_file) if profile_file else None
        ranked = analyze(loaded, samples, options, watch, profile, workers=workers).sensitivity
    if metric is not None:
        ranked = ranked.sorted_by(Metric(metric))
    if output is not None:
        write_atomically(output, ranked.to_yaml().encode())
    if not told_as_json(json_file, ranked.model_dump(mode="json")):
        tables.print_sensitivity(ranked)
