"""`quantune tune MODEL -o tiles.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantune_mlir.cli.inputs import FILE, SECONDS, STDOUT, cache_option, json_option
from quantune_mlir.cli.model_options import import_options, model_options
from quantune_mlir.cli.reporting import reports_errors, summarize
from quantune_mlir.workflow.variant import VARIANTS, Variant

if TYPE_CHECKING:
    from quantune_mlir.kernels.tiling.tuning import Kernel
    from quantune_mlir.workflow.tuning import Choice, Site


@click.command("tune")
@click.argument("model", type=FILE)
@click.option("-o", "--output", type=FILE, metavar="FILE", required=True, help="The tiles to write, as YAML.")
@click.option("--target", metavar="NAME", default="host", show_default=True, help="See `quantune targets`.")
@click.option(
    "--variant",
    "variants",
    type=click.Choice(VARIANTS),
    multiple=True,
    help="Of an output directory. Repeatable. [default: all three]",
)
@click.option(
    "--calibration",
    type=FILE,
    metavar="DATA",
    help="Samples for a model, as for `quantize`. [default: a random one, as speed does not depend on values]",
)
@click.option(
    "--seconds",
    type=SECONDS,
    metavar="S",
    help="Begin with no other kernel after so long; those that take most of the time come first. [default: no limit]",
)
@json_option("what was measured of each kernel")
@model_options
@cache_option
@reports_errors
def command(
    model: Path,
    output: Path,
    target: str,
    variants: tuple[Variant, ...],
    calibration: Path | None,
    seconds: float | None,
    json_file: Path | None,
    **chosen: Any,
) -> None:
    """Find the tiles with which convolutions and matmuls are quickest on this machine, for --tiles of other commands.

    MODEL is a model's file, an output directory of `quantune quantize`, or a module of TOSA.

    What is measured is kept in the user's cache at once: an interrupted search goes on where it stopped.
    """
    from quantune_mlir.cli import tables
    from quantune_mlir.cli.console import Display, check_json, told_as_json
    from quantune_mlir.files.access import check_writable, write_atomically
    from quantune_mlir.hardware.targets import load_target
    from quantune_mlir.workflow.tiling_timer import host_timers
    from quantune_mlir.workflow.tuning import choice_cache, find_sites, tune, tuned_isa, tuned_tiles
    from quantune_mlir.workflow.tuning_inputs import TuningInput

    description = load_target(target)
    isa = tuned_isa(description)
    check_writable(output)
    check_json(json_file)
    display = Display()
    given = TuningInput(model, target, variants, calibration, import_options(chosen))
    sites = find_sites(given.modules(display), isa)
    timers = host_timers(isa, description)
    try:
        with display.stage("tune kernels", len(sites)) as tick:
            found = tune(sites, isa, choice_cache(description), timers, seconds=seconds, on_site=tick)
    except KeyboardInterrupt:
        click.echo("what was measured is kept: run the command again to go on", err=True)
        raise
    tiles = tuned_tiles(found, isa)
    write_atomically(output, tiles.to_yaml().encode())
    if not told_as_json(json_file, _described(sites, found)):
        tables.print_tuning(sites, found)
    if len(found) < len(sites):
        left = len(sites) - len(found)
        click.echo(f"{left} of {len(sites)} kernels are not measured: run the command again to go on", err=True)
    if json_file != STDOUT:
        summarize(f"{output}: tiles of {len(tiles.kernels)} kernels")


def _described(sites: Sequence[Site], found: Mapping[Kernel, Choice]) -> list[dict[str, Any]]:
    """What was found for each kernel that was measured."""
    return [
        {
            "kernel": str(site.kernel),
            "calls": dict(site.counts),
            "model": {"tile": str(found[site.kernel].model), "us": found[site.kernel].model_us},
            "best": {"tile": str(found[site.kernel].best), "us": found[site.kernel].best_us},
        }
        for site in sites
        if site.kernel in found
    ]
