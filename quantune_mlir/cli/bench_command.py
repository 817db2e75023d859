"""`quantune bench DIR`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
import numpy as np

from quantune_mlir.cli import tables
from quantune_mlir.cli.console import Display, reports_errors, write_json
from quantune_mlir.cli.inputs import FILE
from quantune_mlir.execution.benchmark import device_for, measure, pinned
from quantune_mlir.files import check_writable
from quantune_mlir.samples import InputSpec
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.variants import VARIANTS, Variant, Variants


@click.command("bench")
@click.argument("directory", type=FILE)
@click.option(
    "--variant", "chosen", type=click.Choice(VARIANTS), multiple=True, help="Repeatable. [default: all three]"
)
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", default=1, show_default=True, help="Threads of each program."
)
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=3.0, show_default=True, metavar="S", help="How long to measure."
)
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the latencies, keyed by variant.")
@reports_errors
def command(directory: Path, chosen: tuple[Variant, ...], threads: int, seconds: float, json_file: Path | None) -> None:
    """Compare the latency of the variants of a quantized model: interleaved rounds, pinned to as many CPUs as threads.

    DIRECTORY is what `quantune quantize` wrote.
    """
    if json_file is not None:
        check_writable(json_file)
    variants = Variants(Artifacts.open(directory))
    display = Display()
    inputs = [_random(spec, np.random.default_rng(0)) for spec in variants.model.inputs]
    with pinned(threads):
        calls = {}
        for variant in chosen or VARIANTS:
            with display.stage(f"compile {variant}"):
                calls[variant] = partial(variants.load(variant, device=device_for(threads)), *inputs)
        with display.stage("measure") as tick:
            latencies = measure(calls, seconds=seconds, on_round=tick)
    results = {name: asdict(latency) for name, latency in latencies.items()}
    write_json(json_file, results)
    tables.print_latency(results, threads=threads)


def _random(spec: InputSpec, rng: np.random.Generator) -> np.ndarray:
    """An input in [0, 1); integers and booleans are zeros."""
    if spec.dtype.kind != "f":
        return np.zeros(spec.shape, spec.dtype)
    return rng.random(spec.shape).astype(spec.dtype)
