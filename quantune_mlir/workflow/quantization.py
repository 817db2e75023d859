"""From a model and samples to a mixed-precision program: the stages in order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.compiling import Compiling, untold
from quantune_mlir.backend.kernel_groups import kernel_groups
from quantune_mlir.backend.program import Array, Program
from quantune_mlir.backend.workers import Workers
from quantune_mlir.errors import DataError, expect
from quantune_mlir.files.access import write_atomically
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.numerics.known_weights import weights_quantized_once
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.quantize.layer_graph import planned_layers
from quantune_mlir.passes.quantize.verify_integer import VerifyInteger
from quantune_mlir.pipeline.driver import run_pipeline
from quantune_mlir.planning.costs import CostModel
from quantune_mlir.planning.noise_model import Powers
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planned, Planner
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.analysis import Analyzer
from quantune_mlir.workflow.finished_stages import FinishedStages
from quantune_mlir.workflow.inference_runs import analyze
from quantune_mlir.workflow.integer_only import require_integer_forms
from quantune_mlir.workflow.judges import check_decides, class_judge, score_judge
from quantune_mlir.workflow.layer_costs import measured_costs, modelled_costs, number_of_costs
from quantune_mlir.workflow.options import ANALYSIS_TARGET, DEFAULTS, QuantizeOptions
from quantune_mlir.workflow.outputs import all_outputs, check_labels
from quantune_mlir.workflow.plan_memory import MemoryLimits, within_memory
from quantune_mlir.workflow.policy import DEFAULT_POLICY, PlanPolicy
from quantune_mlir.workflow.progress import SILENT, Progress, Stopwatch
from quantune_mlir.workflow.quantized_model import QuantizedModel
from quantune_mlir.workflow.rewriting import PlanRewriter, integer_options
from quantune_mlir.workflow.scoring import Scorer
from quantune_mlir.workflow.search import Trial, search
from quantune_mlir.workflow.summary import summarize
from quantune_mlir.workflow.verification import ReferenceRuns, Verification, Verifier
from quantune_mlir.workflow.verified_plan import PlanVerifier, verified_plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODEL: Final = "model"
"""What a model is called that is known only as it is in memory."""


@dataclass(frozen=True)
class Quantization(QuantizedModel):
    """A quantized model, and what can be made of it."""

    def compile(
        self, target: str | None = None, tiles: TunedTiles | None = None, compiling: Compiling = untold
    ) -> bytes:
        """The .vmfb of the mixed module for a target (default: that of the options), perhaps with tuned tiles.

        For a target without float operations it is that of the integers, if there are any.
        What was compiled to verify it is not compiled again. `compiling` is told how far it is.
        """
        name = target or self.options.target
        if self.verified is not None and (name, tiles) == (ANALYSIS_TARGET, self.verified.tiles):
            return self.verified.program
        chosen = load_target(name)
        integers = self.integers if chosen.floats == "none" else None
        return compile_program(integers or self.mixed.module, chosen, tiles=tiles, compiling=compiling)

    def report(self, path: Path | str, *, source: Path | str = MODEL) -> None:
        """Write the report, as `save` does among other files; the mixed program is compiled if it was not.

        Args:
            path: the file.
            source: the model's file, for the title.

        Raises:
            OutputError: the file cannot be written.
        """
        from quantune_mlir.workflow.reports import report_bytes, run_of

        summary = summarize(self, source=source, mixed_bytes=len(self.compile()), seconds=self.seconds)
        write_atomically(Path(path), report_bytes(run_of(summary, self.profile)))

    def plot_front(self) -> Figure:
        """The front and this plan: predicted SQNR over predicted time. Raises QuantuneError as `draw_front` does."""
        from quantune_mlir.report.plots import draw_front

        return draw_front(self.front, self.planned.problem.costs.unit)

    def plot_sensitivity(self, most: int = 20) -> Figure:
        """The `most` most sensitive layers, and their formats. Raises QuantuneError as `draw_sensitivity` does."""
        from quantune_mlir.report.plots import draw_sensitivity

        return draw_sensitivity(self.sensitivity, self.mixed.precision, most)

    def plot_histogram(self, tensor: str) -> Figure:
        """What run 1 saw of a tensor, named as in the profile, and what int8 can hold of it.

        Raises:
            QuantuneError: as `draw_histogram` does.
            DataError: there is no such tensor; it is told which there are.
        """
        from quantune_mlir.report.plots import draw_histogram

        if tensor not in self.profile:
            raise DataError("no such tensor", where=tensor, remedy=f"choose one of {', '.join(self.profile)}")
        return draw_histogram(tensor, self.profile[tensor], self.parameters.get(tensor))

    def _repr_html_(self) -> str:
        """The verdict and what became of each layer, for notebooks."""
        from quantune_mlir.report.page import fragment
        from quantune_mlir.workflow.reports import run_of

        size = len(self.verified.program) if self.verified is not None else 0
        return fragment(run_of(summarize(self, source=MODEL, mixed_bytes=size, seconds=self.seconds), self.profile))

    def program(self) -> Program:
        """The mixed program, compiled for and loaded on this machine."""
        return Program(self.compile(ANALYSIS_TARGET))


def find_costs(model: Model, rewriter: PlanRewriter, policy: PlanPolicy, watch: Stopwatch) -> CostModel:
    """What each precision of each layer costs on the target: modelled, or measured on this machine."""
    target = load_target(rewriter.options.target)
    with watch.stage("model_costs", "model the costs"):
        integers = [format_ for format_ in policy.known_formats if format_.is_integer]
        groups = {
            format_: kernel_groups(rewriter.rewrite(PrecisionPlan(format=1, default=format_)).module)
            for format_ in dict.fromkeys([INT8, *integers])
        }
        groups[FP32] = kernel_groups(model.module)
        if not policy.measures:
            return modelled_costs(model, groups, target)
    number = number_of_costs(model, groups)
    with watch.stage("measure_costs", "measure the kernels, once on each machine", number) as tick:
        return measured_costs(model, groups, target, tick)


@weights_quantized_once()
def quantize(
    model: Model,
    samples: SampleSet,
    options: QuantizeOptions = DEFAULTS,
    *,
    policy: PlanPolicy = DEFAULT_POLICY,
    plan: PrecisionPlan | None = None,
    profile: Profile | None = None,
    validation: SampleSet | None = None,
    scorer: Scorer | None = None,
    verify: bool = True,
    tiles: TunedTiles | None = None,
    resume: bool = False,
    workers: Workers | None = None,
    limits: MemoryLimits | None = None,
    progress: Progress = SILENT,
) -> Quantization:
    """Quantize a model in two inference runs, and verify the outcome: run it once over the samples of run 2.

    Args:
        model: what to quantize.
        samples: calibration samples; run exactly twice, but for what `validation` and `verify` say.
        options: ranges, schemes, target.
        policy: how the sensitivity list becomes a plan.
        plan: a ready plan, to be honoured exactly; the policy is then not asked.
        profile: what run 1 gave before, on these or on more samples; it is not done again.
        validation: what candidates are run over if the policy limits the drop; None: `samples`.
        scorer: by what candidates are judged if the policy limits the drop; None: by the classes of samples.
        verify: whether the mixed program is compiled for this machine and the noise of each part of its outputs
            measured.
        tiles: if the target is this machine, what the program is to be saved with: so it is compiled once.
        resume: take what run 1 and run 2 gave in an earlier process, if model, samples and options are the same.
        workers: other processes or machines, which run 1 and run 2 are made on; what comes out is the same.
        limits: of a device; where the policy's plan is estimated to take more, the front is searched for one that fits.
        progress: who is told how far the work is.

    Raises:
        ArgumentError: an argument is of another kind, a path for example.
        QuantuneError: the samples, the plan or the options do not fit the model.
    """
    expect(model, Model, "Model.load(FILE)")
    expect(samples, SampleSet, "SampleSet.open(FILE, model.inputs)")
    expect(options, QuantizeOptions, "QuantizeOptions(...)")
    expect(policy, PlanPolicy, "PlanPolicy(...)")
    expect(plan, PrecisionPlan | None, "PrecisionPlan.load(FILE)")
    expect(profile, Profile | None, "Profile.load(FILE)")
    expect(validation, SampleSet | None, "SampleSet.open(FILE, model.inputs)")
    expect(scorer, Scorer | None, "Scorer.load(FILE)")
    if options.is_integer_only:
        policy = policy.in_integers()
        require_integer_forms(model)
    if plan is None:
        policy.check(model, load_target(options.target))
    else:
        plan = plan.fitted_to(planned_layers(model.layers, plan.precision_of()), model.hash)
    checked = samples if validation is None else validation
    if scorer is None:
        check_labels(model, samples)
    if policy.max_drop is not None and scorer is None:
        check_decides(model, checked)
    watch = Stopwatch(progress)
    references = ReferenceRuns() if verify else None
    analyzed = analyze(model, samples, options, watch, profile, references, FinishedStages(resume=resume), workers)
    model, profile, rewriter = analyzed.model, analyzed.profile, analyzed.rewriter
    sensitivity = analyzed.sensitivity.sorted_by(policy.metric)
    trials: tuple[Trial, ...] = ()
    floor_db = policy.floor_db if plan is None else None
    costs = find_costs(model, rewriter, policy, watch) if plan is None and policy.weighs_costs else None
    planner = policy.planner(sensitivity, model, costs)
    decide = policy.decide
    if limits is not None and policy.weighs_costs:
        decide = within_memory(decide, policy.budget, model, limits, integer_only=options.is_integer_only)
    if plan is not None:
        planned = planner.given(plan)
    elif policy.max_drop is not None:
        planned, trials = _search(planner, model, rewriter, checked, policy.max_drop, scorer, watch)
    else:
        with watch.stage("plan", "plan"):
            planned = decide(planner)
    with watch.stage("rewrite", "rewrite to mixed precision"):
        mixed = rewriter.rewrite(planned.plan)
    found = Quantization(
        model,
        options,
        profile,
        sensitivity,
        planned,
        mixed,
        rewriter.parameters,
        analyzed.runs,
        watch.seconds,
        trials,
        policy=policy,
    )
    if references is None:
        return replace(found, integers=_in_integers(rewriter, planned.plan))
    own = tiles if options.target == ANALYSIS_TARGET else None
    verifier = Verifier(model.parts, references, load_target(ANALYSIS_TARGET), own, watch)
    is_default = plan is None and policy.is_default
    verify_plan = PlanVerifier(model, rewriter, verifier, sensitivity.parts, unseen=is_default)

    def grow(doubtful: PrecisionPlan) -> dict[str, Powers]:
        with watch.stage("compile_doubt", "compile the mixed program, measured at each layer"):
            host = load_target(ANALYSIS_TARGET)
            analyzer = Analyzer(
                rewriter.repaired, integer_options(options), host, None, doubtful, workers, watch.compiling
            )
        with watch.stage("run_doubt", "find out what makes its noise", len(analyzer.runs(samples))) as tick:
            return analyzer.grown(samples, tick)

    int8 = policy.int8_throughout if is_default else None
    tight = policy.min_sqnr_db is not None
    best = verified_plan(planned, planner, decide, verify_plan, grow, floor_db, int8, tight=tight)
    return replace(
        found,
        planned=best.planned,
        mixed=best.mixed,
        integers=_in_integers(rewriter, best.planned.plan),
        verified=best.verified,
        verification=Verification(best.parts, len(references) * samples.batch),
    )


def _in_integers(rewriter: PlanRewriter, plan: PrecisionPlan) -> ir.Module | None:
    """With `integer_only`, the module without floating-point numbers. Raises PassError if some are left."""
    if not rewriter.options.is_integer_only:
        return None
    module = rewriter.rewrite(plan, "int8").module
    run_pipeline(module, [VerifyInteger()])
    return module


def _search(
    planner: Planner,
    model: Model,
    rewriter: PlanRewriter,
    samples: SampleSet,
    max_drop: float,
    scorer: Scorer | None,
    watch: Stopwatch,
) -> tuple[Planned, tuple[Trial, ...]]:
    target = load_target(ANALYSIS_TARGET)

    def outputs(module: ir.Module, what: str) -> Iterator[list[Array]]:
        with watch.stage("compile_trials", f"compile {what}"):
            program = Program(compile_program(module, target, compiling=watch.compiling))
        with watch.stage("run_trials", f"run {what}", len(samples)) as tick:
            yield from all_outputs(program, samples, tick)

    with tempfile.TemporaryDirectory(prefix="quantune-outputs-") as folder:
        if scorer is None:
            judge = class_judge(model, samples, outputs)
        else:
            judge = score_judge(model, samples, outputs, scorer, Path(folder))
        found = search(planner, lambda plan: judge(rewriter.rewrite(plan).module), max_drop=max_drop)
    return found.planned, found.trials
