"""`quantune profile make MODEL --calibration DATA -o P.npz` and `quantune profile merge A.npz B.npz -o C.npz`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from quantune_mlir.cli.inputs import (
    FILE,
    cache_option,
    calibration_option,
    json_option,
    preprocess_option,
    sample_options,
    scheduler_option,
    workers_of,
)
from quantune_mlir.cli.model_options import import_options, model_options
from quantune_mlir.cli.reporting import reports_errors, summarize

if TYPE_CHECKING:
    from quantune_mlir.numerics.profile import Profile

_output_option: Final = click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="FILE",
    default=Path("profile.npz"),
    show_default=True,
    help="The profile to write.",
)
_json_option: Final = json_option("samples and the range of each tensor")


@click.group("profile")
def command() -> None:
    """Make and merge profiles: what run 1 saw of each tensor.

    Samples can be split over processes or machines: make a profile of each part, and merge them.
    """


@command.command("make")
@click.argument("model", type=FILE)
@calibration_option
@preprocess_option
@_output_option
@sample_options
@model_options
@scheduler_option
@cache_option
@_json_option
@reports_errors
def make_command(
    model: Path,
    calibration: Path,
    preprocess: str | None,
    output: Path,
    samples: int,
    seed: int,
    scheduler: str | None,
    json_file: Path | None,
    **chosen: Any,
) -> None:
    """Make a profile: run 1 alone, fp32 with observers."""
    from quantune_mlir.cli.console import Display, check_json
    from quantune_mlir.files.access import check_writable
    from quantune_mlir.samples.preprocess import Preprocess
    from quantune_mlir.samples.sample_set import SampleSet
    from quantune_mlir.workflow.inference_runs import calibrate
    from quantune_mlir.workflow.kept_models import load_model
    from quantune_mlir.workflow.progress import Stopwatch

    check_writable(output)
    check_json(json_file)
    imported = import_options(chosen)
    steps = None if preprocess is None else Preprocess.parse(preprocess)
    workers = workers_of(scheduler)
    display = Display()
    with display.stage("import"):
        loaded = load_model(model, calibration, imported)
    sample_set = SampleSet.open(calibration, loaded.inputs, samples, seed, steps)
    _write(calibrate(loaded, sample_set, Stopwatch(display), workers), output, json_file)


@command.command("merge")
@click.argument("profiles", type=FILE, nargs=-1, required=True)
@_output_option
@_json_option
@reports_errors
def merge_command(profiles: tuple[Path, ...], output: Path, json_file: Path | None) -> None:
    """Merge profiles of one model.

    The result is the same, to the byte, as if all samples had been profiled at once.
    """
    from quantune_mlir.cli.console import check_json
    from quantune_mlir.files.access import check_writable
    from quantune_mlir.numerics.profile import Profile

    check_writable(output)
    check_json(json_file)
    _write(Profile.merge([Profile.load(path) for path in profiles]), output, json_file)


def _write(profile: Profile, output: Path, json_file: Path | None) -> None:
    from quantune_mlir.cli.console import told_as_json
    from quantune_mlir.files.access import write_atomically

    write_atomically(output, profile.to_bytes())
    tensors = {name: {"minimum": seen.minimum, "maximum": seen.maximum} for name, seen in profile.items()}
    if not told_as_json(json_file, {"model": profile.model, "samples": profile.samples, "tensors": tensors}):
        summarize(f"{output}: {len(profile)} tensors, {profile.samples} samples")
