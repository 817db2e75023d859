"""`quantune evaluate DIR --data DATA`."""

from __future__ import annotations

from pathlib import Path

import click

from quantune_mlir.cli.inputs import FILE, cache_option, json_option, preprocess_option, score_option
from quantune_mlir.cli.reporting import reports_errors
from quantune_mlir.errors import OutputError
from quantune_mlir.workflow.variant import VARIANTS, Variant


@click.command("evaluate")
@click.argument("directory", type=FILE)
@click.option("--data", type=FILE, metavar="DATA", required=True, help="Samples, and `labels` if there are any.")
@preprocess_option
@click.option(
    "--variant", "chosen", type=click.Choice(VARIANTS), multiple=True, help="Repeatable. [default: all three]"
)
@click.option(
    "--samples", "count", type=click.IntRange(min=1), metavar="N", help="Use at most N samples. [default: all]"
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Chooses which, where the data holds more.",
)
@score_option
@json_option("the scores, keyed by variant,")
@click.option(
    "--outputs", type=FILE, metavar="FILE", help="Write the raw first outputs of the one variant chosen, as .npy."
)
@cache_option
@reports_errors
def command(
    directory: Path,
    data: Path,
    preprocess: str | None,
    chosen: tuple[Variant, ...],
    count: int | None,
    seed: int,
    score_file: Path | None,
    json_file: Path | None,
    outputs: Path | None,
) -> None:
    """Compare the outputs of the variants of a quantized model on the same samples: with fp32's and with labels.

    DIRECTORY is what `quantune quantize` wrote. Labels are class indices, one for each sample; with --score, what the
    function makes of them.
    """
    from quantune_mlir.cli import tables
    from quantune_mlir.cli.console import Display, check_json, told_as_json
    from quantune_mlir.cli.reporting import Notes
    from quantune_mlir.files.access import check_writable, write_array
    from quantune_mlir.numerics.parts import LEAST_DB
    from quantune_mlir.numerics.profile import Profile
    from quantune_mlir.samples.preprocess import Preprocess
    from quantune_mlir.samples.sample_set import SampleSet
    from quantune_mlir.workflow.artifacts import PROFILE, Artifacts
    from quantune_mlir.workflow.clipped_inputs import clipping_warnings
    from quantune_mlir.workflow.evaluation import evaluate
    from quantune_mlir.workflow.scoring import Scorer
    from quantune_mlir.workflow.variants import Variants

    if outputs is not None and len(chosen) != 1:
        raise OutputError("holds the outputs of one variant", where="--outputs", remedy="give one --variant")
    check_json(json_file)
    if outputs is not None:
        check_writable(outputs)
    scorer = None if score_file is None else Scorer.load(score_file)
    steps = None if preprocess is None else Preprocess.parse(preprocess)
    artifacts = Artifacts.open(directory)
    variants = Variants(artifacts)
    samples = SampleSet.open(data, variants.model.inputs, count, seed, steps)
    result = evaluate(
        variants,
        samples,
        chosen or VARIANTS,
        scorer=scorer,
        keep_outputs=outputs is not None,
        progress=Display(),
    )
    if outputs is not None:
        write_array(outputs, result.outputs[chosen[0]])
    if result.worst_db < LEAST_DB:
        for warning in clipping_warnings(Profile.load(artifacts[PROFILE]), result.extremes):
            Notes().warn(warning)
    if not told_as_json(json_file, result.scores):
        tables.print_evaluation(result.scores)
