"""`quantune quantize MODEL --calibration DATA --output DIR`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from quantune_mlir.backend.deliverable import Activations, Deliverable
from quantune_mlir.cli.command_line import given_arguments
from quantune_mlir.cli.config_file import config_option, written
from quantune_mlir.cli.inputs import (
    FILE,
    activations_option,
    cache_option,
    calibration_option,
    deliverable_options,
    json_option,
    preprocess_option,
    profile_option,
    quantization_options,
    quantize_options,
    scheduler_option,
    score_option,
    tiles_option,
    workers_of,
)
from quantune_mlir.cli.model_options import import_options, model_options
from quantune_mlir.cli.policy_options import POLICY_PARAMETERS, plan_policy, policy_options
from quantune_mlir.cli.reporting import Notes, Verbosity, reports_errors, summarize, verbosity
from quantune_mlir.cli.stopping import holding_signals
from quantune_mlir.errors import PlanError

if TYPE_CHECKING:
    from quantune_mlir.workflow.inference_runs import InferenceRuns
    from quantune_mlir.workflow.kept_results import KeptResult, ResultKey
    from quantune_mlir.workflow.quantization import Quantization

NOT_RECORDED: Final = ("force", "output", "plan_file", "json_file", "resume", "scheduler")
"""Parameters that do not shape the result, or are recorded apart."""
_OF_THE_CALL: Final = ("debug", "force", "output", "json_file", "resume", "scheduler")
"""Parameters that do not shape the result."""


@click.command("quantize")
@click.argument("model", type=FILE)
@config_option
@calibration_option
@preprocess_option
@click.option("-o", "--output", type=FILE, metavar="DIR", required=True, help="Directory to write.")
@click.option("--force", is_flag=True, help="Replace an older output directory of this command.")
@click.option("--target", metavar="NAME", default="host", show_default=True, help="See `quantune targets`.")
@deliverable_options
@activations_option
@tiles_option
@click.option(
    "--plan",
    "plan_file",
    type=FILE,
    metavar="FILE",
    help="A plan.yaml, perhaps edited; honoured exactly. What the run that made it measured is taken from the cache.",
)
@profile_option
@policy_options
@click.option(
    "--validation",
    "validation_data",
    type=FILE,
    metavar="DATA",
    help="Samples that --max-drop runs its candidates over. [default: those of --calibration]",
)
@score_option
@click.option(
    "--verify/--no-verify",
    default=True,
    show_default=True,
    help="Run the mixed program once over the samples of run 2, and measure the noise of its outputs.",
)
@json_option("what summary.json holds")
@quantization_options
@model_options
@click.option(
    "--resume",
    is_flag=True,
    help="Go on after an interruption: take what run 1 and run 2 gave, if model, samples and options are the same.",
)
@scheduler_option
@cache_option
@reports_errors
def command(*, output: Path, force: bool, json_file: Path | None, resume: bool, **given: Any) -> None:
    """Quantize a model in two inference runs over the calibration samples.

    Without a plan or a policy, the compiler keeps in fp32 what int8 would hurt, and nothing else.
    """
    from quantune_mlir.workflow import artifacts
    from quantune_mlir.workflow.kept_results import find_result

    artifacts.check_output(output, force=force)
    if json_file is not None:
        from quantune_mlir.cli.console import check_json

        check_json(json_file)
    key = _key()
    anew = resume or given["scheduler"] is not None or verbosity() is Verbosity.VERBOSE
    kept = None if key is None or anew else find_result(key.text)
    if kept is None:
        _quantize(key, output=output, force=force, json_file=json_file, resume=resume, **given)
    else:
        _write_again(kept, output, json_file, force=force)


def _key() -> ResultKey | None:
    """That of the running command's result."""
    from quantune_mlir.workflow.kept_results import ResultKey

    shaping = {name: value for name, value in click.get_current_context().params.items() if name not in _OF_THE_CALL}
    return ResultKey.of(shaping, _recorded_arguments())


def _recorded_arguments() -> list[str]:
    return given_arguments(without=(*NOT_RECORDED, *POLICY_PARAMETERS))


def _write_again(kept: KeptResult, output: Path, json_file: Path | None, *, force: bool) -> None:
    """Do what the command did before, from what was kept of that."""
    from quantune_mlir.workflow import artifacts

    with artifacts.written_as_a_whole(output, force=force) as files:
        kept.write(files.directory)
    notes = Notes()
    for note in kept.notes:
        notes.tell(note)
    if json_file is not None:
        from quantune_mlir.cli.console import told_as_json

        if told_as_json(json_file, json.loads(bytes(kept.files[artifacts.SUMMARY]))):
            return
    _tell_outcome(kept.outcome, output)


def _tell_outcome(lines: Sequence[str], output: Path) -> None:
    from quantune_mlir.workflow.artifacts import REPORT

    for line in (*lines, f"written to {output}", f"report: {output / REPORT}"):
        summarize(line)


def _quantize(
    key: ResultKey | None,
    *,
    model: Path,
    calibration: Path,
    preprocess: str | None,
    output: Path,
    force: bool,
    target: str,
    deliverable: Deliverable,
    name: str,
    vectors: int,
    max_ram: int | None,
    max_flash: int | None,
    activations: Activations,
    tiles_file: Path | None,
    plan_file: Path | None,
    profile_file: Path | None,
    validation_data: Path | None,
    score_file: Path | None,
    verify: bool,
    resume: bool,
    scheduler: str | None,
    json_file: Path | None,
    **chosen: Any,
) -> None:
    """Quantize, write all files, keep them under the key, and tell the outcome."""
    from quantune_mlir.workflow.ahead import make_ready, start_compiler

    start_compiler()
    with holding_signals():
        from quantune_mlir.backend.compilation import load_tiles
        from quantune_mlir.backend.delivery import Delivery
        from quantune_mlir.cli.console import Display, told_as_json
        from quantune_mlir.hardware.targets import load_target
        from quantune_mlir.numerics.profile import Profile
        from quantune_mlir.samples.preprocess import Preprocess
        from quantune_mlir.samples.sample_set import SampleSet
        from quantune_mlir.workflow.kept_models import load_model
        from quantune_mlir.workflow.plan_memory import MemoryLimits
        from quantune_mlir.workflow.policy import DEFAULT_POLICY, load_plan
        from quantune_mlir.workflow.quantization import quantize
        from quantune_mlir.workflow.scoring import Scorer

    notes = Notes()
    description = load_target(target)
    tiles = load_tiles(tiles_file, description)
    delivery = None
    if deliverable == "qdq-onnx":
        from quantune_mlir.workflow.qdq import require_onnx

        require_onnx(model)
    elif deliverable != "vmfb":
        delivery = Delivery(deliverable, name, model.name, max_ram=max_ram, max_flash=max_flash, vectors=vectors)
    if delivery is not None:
        delivery.check(description)
    policy = plan_policy(chosen)
    told = chosen["integer_only"] is not None
    imported = import_options(chosen)
    options = quantize_options(target=target, **chosen)
    if options.is_integer_only and not told:
        notes.tell(
            f"{description.name} has no float operations: everything is computed in integers "
            "(--no-integer-only: floats, by routines of the compiler)"
        )
    if plan_file is not None and policy != DEFAULT_POLICY:
        raise PlanError(
            "a plan leaves a policy nothing to decide", where=str(plan_file), remedy="give one or the other"
        )
    if validation_data is not None and policy.max_drop is None:
        raise PlanError("only --max-drop asks for validation samples", where="--validation", remedy="leave it out")
    if score_file is not None and policy.max_drop is None:
        raise PlanError("only --max-drop asks for a score", where="--score", remedy="leave it out")
    scorer = None if score_file is None else Scorer.load(score_file)
    steps = None if preprocess is None else Preprocess.parse(preprocess)
    workers = workers_of(scheduler)
    display = Display()
    digests = {} if key is None else key.digests
    make_ready()
    with display.stage("import"):
        loaded = load_model(model, calibration, imported, digests.get(model))
    plan = load_plan(plan_file, loaded) if plan_file else None
    profile = Profile.load(profile_file) if profile_file else None
    content = digests.get(calibration)
    samples = SampleSet.open(calibration, loaded.inputs, options.samples, options.seed, steps, content)
    validation = None if validation_data is None else SampleSet.open(validation_data, loaded.inputs, preprocess=steps)
    quantization = quantize(
        loaded,
        samples,
        options,
        policy=policy,
        plan=plan,
        profile=profile,
        validation=validation,
        scorer=scorer,
        verify=verify,
        tiles=tiles,
        resume=resume or plan is not None,
        workers=workers,
        limits=None if delivery is None else MemoryLimits(max_ram or description.ram, max_flash or description.flash),
        progress=display,
    )
    from quantune_mlir.cli.outcome import left_in_fp32, outcome
    from quantune_mlir.workflow.input_range import range_warning
    from quantune_mlir.workflow.kept_results import keep_files, keep_told
    from quantune_mlir.workflow.reports import run_of
    from quantune_mlir.workflow.save import save
    from quantune_mlir.workflow.warnings import warnings

    if resume or (plan is not None and not quantization.runs.int8):
        _tell_of_resumption(quantization.runs, profiled=profile is not None)
    if delivery is not None:
        delivery = replace(delivery, samples=samples)
    qdq = None
    if deliverable == "qdq-onnx":
        from quantune_mlir.workflow.qdq import qdq_of

        with display.stage("write the plan as ONNX"):
            qdq = qdq_of(quantization, model, activations)
    if key is not None and not key.is_repeatable(quantization, model):
        key = None
    summary = save(
        quantization,
        output,
        source=model,
        force=force,
        tiles=tiles,
        delivery=delivery,
        qdq=None if qdq is None else qdq.to_bytes(),
        config=written(click.get_current_context()),
        command=_recorded_arguments(),
        on_files=lambda directory: keep_files(key.text, directory) if key is not None else None,
        progress=display,
    )
    unlike_training = range_warning(quantization.model, quantization.profile)
    left = [] if qdq is None else left_in_fp32(qdq)
    for warning in (*left, *([unlike_training] if unlike_training else []), *warnings(quantization)):
        notes.warn(warning)
    lines = list(outcome(run_of(summary, quantization.profile)))
    if key is not None:
        keep_told(key.text, notes.told, lines)
    if told_as_json(json_file, summary) or verbosity() is Verbosity.QUIET:
        return
    _tell_tables(quantization)
    _tell_outcome(lines, output)


def _tell_tables(quantization: Quantization) -> None:
    """The candidates, if there are any, and with --verbose each layer."""
    verbose = verbosity() is Verbosity.VERBOSE
    if quantization.trials or verbose:
        from quantune_mlir.cli import tables
        from quantune_mlir.cli.console import OUT

        tables.print_trials(quantization.trials)
        if verbose:
            tables.print_sensitivity(quantization.sensitivity, quantization.mixed.precision)
            OUT.print()


def _tell_of_resumption(runs: InferenceRuns, *, profiled: bool) -> None:
    """Say what was not done again."""
    taken = [*(["run 1"] if not runs.fp32 and not profiled else []), *(["run 2"] if not runs.int8 else [])]
    told = f"{' and '.join(taken)} had been finished before" if taken else "nothing had been finished before"
    click.echo(f"quantune: {told} with this model, these samples and options", err=True)
