"""`quantune bench DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from quantune_mlir.backend.peers.names import PEERS
from quantune_mlir.cli.inputs import FILE, SECONDS, cache_option, json_option, preprocess_option, tiles_option
from quantune_mlir.cli.reporting import reports_errors
from quantune_mlir.workflow.options import DEFAULT_SAMPLES
from quantune_mlir.workflow.variant import VARIANTS, Variant


@click.command("bench")
@click.argument("directory", type=FILE)
@click.option(
    "--variant", "chosen", type=click.Choice(VARIANTS), multiple=True, help="Repeatable. [default: all three]"
)
@click.option("--against", metavar="PEERS", help=f"Other engines, separated by commas: {', '.join(PEERS)}.")
@click.option(
    "--model",
    type=FILE,
    metavar="ONNX",
    help="The model's file, which other engines need. [default: where it was when it was quantized]",
)
@click.option(
    "--calibration",
    type=FILE,
    metavar="DATA",
    help="Samples for engines that quantize, as for `quantize`. [default: a few random ones, as speed does not "
    "depend on values]",
)
@preprocess_option
@click.option("--target", metavar="NAME", default="host", show_default=True, help="See `quantune targets`.")
@tiles_option
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", default=1, show_default=True, help="Threads of each program."
)
@click.option("--seconds", type=SECONDS, default=3.0, show_default=True, metavar="S", help="How long to measure.")
@json_option("the latencies, keyed by variant and peer,")
@cache_option
@reports_errors
def command(
    directory: Path,
    chosen: tuple[Variant, ...],
    against: str | None,
    model: Path | None,
    calibration: Path | None,
    preprocess: str | None,
    target: str,
    tiles_file: Path | None,
    threads: int,
    seconds: float,
    json_file: Path | None,
) -> None:
    """Compare the latency of the variants of a quantized model, and that of other engines with it.

    In each of many rounds every program has its turn, pinned to as many CPUs as threads.

    DIRECTORY is what `quantune quantize` wrote.
    """
    from quantune_mlir.backend.peers.preparation import check_names
    from quantune_mlir.cli import tables
    from quantune_mlir.cli.console import Display, check_json, told_as_json
    from quantune_mlir.samples.preprocess import Preprocess
    from quantune_mlir.samples.sample_set import SampleSet
    from quantune_mlir.workflow.artifacts import Artifacts
    from quantune_mlir.workflow.comparison import compare
    from quantune_mlir.workflow.variants import Variants

    peers = tuple(dict.fromkeys(name.strip() for name in against.split(","))) if against else ()
    check_names(peers)
    check_json(json_file)
    variants = Variants(Artifacts.open(directory), target=target, tiles=tiles_file)
    steps = None if preprocess is None else Preprocess.parse(preprocess)
    samples = (
        SampleSet.open(calibration, variants.model.inputs, DEFAULT_SAMPLES, preprocess=steps) if calibration else None
    )
    comparison = compare(
        variants,
        chosen or VARIANTS,
        peers,
        threads=threads,
        seconds=seconds,
        model=model,
        calibration=samples,
        progress=Display(),
    )
    if not told_as_json(json_file, comparison.as_dict()):
        tables.print_latency(comparison, threads=threads)
    for name, reason in comparison.absent.items():
        click.echo(f"{name} is left out: {reason}", err=True)
