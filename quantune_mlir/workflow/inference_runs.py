"""Both inference runs: from a model and samples to its profile and its sensitivity list."""

from __future__ import annotations

from dataclasses import dataclass

from quantune_mlir.backend.workers import Workers
from quantune_mlir.errors import DataError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.integer_options import RequantizeMode
from quantune_mlir.model import Model
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.sensitivity import SensitivityList
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.sensitivity.analysis import Analyzer
from quantune_mlir.sensitivity.calibration import Calibrator
from quantune_mlir.sensitivity.qdq_analysis import QdqAnalyzer
from quantune_mlir.workflow.finished_stages import RUN_1, RUN_2, FinishedStages
from quantune_mlir.workflow.fp32_only import require_fp32
from quantune_mlir.workflow.options import ANALYSIS_TARGET, QuantizeOptions
from quantune_mlir.workflow.progress import Stopwatch
from quantune_mlir.workflow.repairs import prepared
from quantune_mlir.workflow.rewriting import PlanRewriter, integer_options
from quantune_mlir.workflow.verification import ReferenceRuns


@dataclass(frozen=True)
class InferenceRuns:
    """How often the samples were run."""

    fp32: int
    int8: int
    samples: int


@dataclass(frozen=True)
class Analyzed:
    """What the two inference runs found.

    Attributes:
        model: what can be planned: the model, what int8 has no value of marked as fp32 only.
        profile: of run 1.
        sensitivity: of run 2, sorted by the default metric.
        runs: how often the samples were run.
        rewriter: makes the model as plans ask for.
    """

    model: Model
    profile: Profile
    sensitivity: SensitivityList
    runs: InferenceRuns
    rewriter: PlanRewriter


def calibrate(model: Model, samples: SampleSet, watch: Stopwatch, workers: Workers | None = None) -> Profile:
    """Run 1: the fp32 program with observers, here or on workers.

    Raises:
        DataError: a sample or a tensor holds NaN or Inf.
    """
    with watch.stage("check_samples", "check the samples"):
        samples.require_finite()
    with watch.stage("compile_fp32_run", "compile run 1 (fp32, observed)"):
        calibrator = Calibrator(model, load_target(ANALYSIS_TARGET), workers, watch.compiling)
    with watch.stage("run_fp32", "run 1: fp32, observed", len(samples)) as tick:
        return calibrator.run(samples, tick)


def analyze(
    model: Model,
    samples: SampleSet,
    options: QuantizeOptions,
    watch: Stopwatch,
    profile: Profile | None = None,
    references: ReferenceRuns | None = None,
    finished: FinishedStages | None = None,
    workers: Workers | None = None,
) -> Analyzed:
    """The two inference runs: the profile, and the sensitivity list made with it. A given profile saves run 1.

    `references` takes what fp32 gives in run 2; `finished` what both runs give, for other processes to go on with.
    `workers` make both runs; what is found is the same to the bit.

    Raises:
        QuantizedModelError: the model is no fp32 one.
        DataError: a sample or a tensor holds NaN or Inf, or the profile is of another model.
    """
    require_fp32(model)
    finished = finished or FinishedStages()
    given = profile
    if given is not None:
        _require_profile_of(model, given)
        with watch.stage("check_samples", "check the samples"):
            samples.require_finite()
    profile = given or finished.profile(model, samples, lambda: calibrate(model, samples, watch, workers))
    finished.expect_run_2(model, samples, profile, options)
    planned = prepared(model, profile, options)
    with watch.stage("assign_parameters", "repair and assign parameters"):
        rewriter = PlanRewriter(planned, profile, options)

    def run_2() -> SensitivityList:
        return _sensitivity(rewriter, planned.hash, samples, references, watch, workers)

    sensitivity = finished.sensitivity(references, run_2)
    calibrations = int(given is None and RUN_1 not in finished.taken)
    runs = InferenceRuns(fp32=calibrations, int8=int(RUN_2 not in finished.taken), samples=samples.samples)
    return Analyzed(planned, profile, sensitivity, runs, rewriter)


def analyze_quantized(
    model: Model, samples: SampleSet, watch: Stopwatch, requantize: RequantizeMode, workers: Workers | None = None
) -> SensitivityList:
    """What the roundings of a model that is quantized already (`Model.rounded`) do, in one run.

    Raises:
        DataError: a sample holds NaN or Inf.
    """
    with watch.stage("compile_qdq_run", "compile the run (with roundings beside without)"):
        analyzer = QdqAnalyzer(model, load_target(ANALYSIS_TARGET), requantize, workers, watch.compiling)
    with watch.stage("run_qdq", "run with roundings beside without", len(analyzer.runs(samples))) as tick:
        return analyzer.run(samples, tick)


def _sensitivity(
    rewriter: PlanRewriter,
    model_hash: str,
    samples: SampleSet,
    references: ReferenceRuns | None,
    watch: Stopwatch,
    workers: Workers | None,
) -> SensitivityList:
    """Run 2."""
    target, integer = load_target(ANALYSIS_TARGET), integer_options(rewriter.options)
    with watch.stage("compile_int8_run", "compile run 2 (fp32 beside int8)"):
        on_run = None if references is None else references.add
        analyzer = Analyzer(rewriter.repaired, integer, target, on_run, workers=workers, compiling=watch.compiling)
    with watch.stage("run_int8", "run 2: fp32 beside int8", len(analyzer.runs(samples))) as tick:
        analysis = analyzer.run(samples, tick)
    del analyzer  # Its program is several times as large as the model.
    return SensitivityList.of(
        analysis.layers,
        rounding=analysis.noise.rounding,
        parts=analysis.noise.parts,
        rounded=analysis.noise.rounded,
        halved_at=analysis.noise.halved_at,
        signal=analysis.noise.signal,
        signal_share=analysis.noise.signal_share,
        model=model_hash,
        samples=analysis.samples,
        options=rewriter.options.as_dict(),
    )


def _require_profile_of(model: Model, profile: Profile) -> None:
    if profile.model != model.hash or list(profile) != list(model.network.tensors.names.values()):
        raise DataError(
            f"the profile is of another model ({profile.model[:12]}, this is {model.hash[:12]})",
            where="--profile",
            remedy="make it again: quantune profile make MODEL --calibration DATA",
        )
