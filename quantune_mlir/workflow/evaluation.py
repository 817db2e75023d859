"""How near the variants of a quantized model come to fp32, and how right they are, on the same samples."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.program import Array, Program
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.numerics.parts import PartMeter, PartNoise, worst_db
from quantune_mlir.report.json_numbers import json_number
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.clipped_inputs import Extremes, widened
from quantune_mlir.workflow.output_files import OutputFiles
from quantune_mlir.workflow.outputs import Classification, by_sample, class_labels
from quantune_mlir.workflow.progress import SILENT, Progress, of_kernels
from quantune_mlir.workflow.scoring import Scorer
from quantune_mlir.workflow.variant import Variant
from quantune_mlir.workflow.variants import Variants

_TOP: Final = 5


@dataclass
class Decisions:
    """Running counts of one variant's classes against the labels and fp32's; top-5 counts a label among five."""

    classification: Classification
    agreeing: int = 0
    top1: int = 0
    top5: int = 0

    def add(self, output: Array, reference: Array, labels: NDArray[np.integer] | None) -> None:
        """Counts the samples of one run: first outputs (samples, ...) of it and of fp32, labels (samples,)."""
        mine, theirs = (self.classification.decisions(array) for array in (output, reference))
        self.agreeing += int((mine == theirs).sum())
        if labels is not None:
            self.top1 += int((mine == labels).sum())
            best = np.argsort(-output.reshape(len(output), -1).astype(np.float64), axis=1, kind="stable")[:, :_TOP]
            self.top5 += int((best == labels[:, None]).any(axis=1).sum())

    def as_dict(self, samples: int, *, labelled: bool) -> dict[str, float]:
        """Shares of the samples: without labels agreement only, and of those that know but the class no top-5."""
        found = {"agreement": self.agreeing / samples}
        if labelled:
            found["top1"] = self.top1 / samples
        if labelled and self.classification.scores is not None:
            found["top5"] = self.top5 / samples
        return found


@dataclass
class Tally:
    """All that is summed up of one variant."""

    meter: PartMeter
    decisions: Decisions | None
    files: OutputFiles | None
    first: ErrorEnergy = field(default_factory=ErrorEnergy)
    kept: list[Array] = field(default_factory=list)


@dataclass(frozen=True)
class Evaluation:
    """What came of it.

    Attributes:
        scores: by variant, what the JSON file holds.
        outputs: the raw first outputs, (samples, ...), of the variants that they were asked of.
        extremes: of the samples.
    """

    scores: dict[Variant, dict[str, Any]]
    outputs: dict[Variant, Array]
    extremes: Extremes

    @property
    def worst_db(self) -> float:
        """The SQNR of the worst part of all variants; -inf if one is not known."""
        worst = (score["worst_sqnr_db"] for score in self.scores.values())
        return min((-math.inf if db is None else float(db) for db in worst), default=math.inf)


def evaluate(
    variants: Variants,
    samples: SampleSet,
    chosen: Sequence[Variant],
    *,
    scorer: Scorer | None = None,
    keep_outputs: bool = False,
    progress: Progress = SILENT,
) -> Evaluation:
    """Runs the chosen variants and fp32 over the samples, side by side.

    Args:
        variants: of the quantized model.
        samples: what they run over.
        chosen: the variants to regard.
        scorer: a yardstick of the user's; labels are then its affair, and may be anything.
        keep_outputs: whether raw first outputs are wanted.
        progress: who is told how far the work is.

    Raises:
        DataError: the labels do not fit the model's first output.
        ScoreError: the scorer failed.
    """
    classification = Classification.of(variants.model, samples.batch)
    labels = class_labels(samples, classification) if scorer is None else None
    if classification is not None and not classification.certain and labels is None:
        classification = None
    programs = _load(variants, ("fp32", *chosen), progress)
    with tempfile.TemporaryDirectory(prefix="quantune-outputs-") as folder:
        tallies: dict[Variant, Tally] = {}
        for variant in programs:
            decisions = None if classification is None else Decisions(classification)
            files = None if scorer is None else OutputFiles(Path(folder) / variant, len(samples))
            tallies[variant] = Tally(PartMeter(variants.model.parts), decisions, files)
        names = [spec.name for spec in variants.model.inputs]
        extremes = _run(programs, tallies, samples, labels, chosen if keep_outputs else (), names, progress)
        labelled = labels is not None
        scores: dict[Variant, dict[str, Any]] = {v: _described(tallies[v], samples, labelled=labelled) for v in chosen}
        if scorer is not None:
            for variant in chosen:
                with progress.stage(f"score {variant}"):
                    mine, references = (_files(tallies[v]).arrays() for v in (variant, "fp32"))
                    scores[variant]["score"] = scorer(mine, references, samples.labels)
    outputs: dict[Variant, Array] = {v: np.concatenate(tally.kept) for v, tally in tallies.items() if tally.kept}
    return Evaluation(scores, outputs, extremes)


def _load(variants: Variants, needed: Sequence[Variant], progress: Progress) -> dict[Variant, Program]:
    programs: dict[Variant, Program] = {}
    for variant in dict.fromkeys(needed):
        with progress.stage(f"compile {variant}"):
            programs[variant] = variants.load(variant, compiling=of_kernels(progress))
    return programs


def _run(
    programs: dict[Variant, Program],
    tallies: dict[Variant, Tally],
    samples: SampleSet,
    labels: NDArray[np.integer] | None,
    kept: Sequence[Variant],
    names: Sequence[str],
    progress: Progress,
) -> Extremes:
    """Runs all programs over the samples; the extremes of the inputs, by these names."""
    extremes: Extremes = {}
    with progress.stage("evaluate", len(samples)) as tick:
        for index, run in enumerate(samples):
            mine = labels[index * samples.batch : (index + 1) * samples.batch] if labels is not None else None
            outputs = {variant: program(*run) for variant, program in programs.items()}
            for variant, tally in tallies.items():
                _count(tally, outputs[variant], outputs["fp32"], run, mine, samples.batch)
                if variant in kept:
                    tally.kept.append(by_sample(outputs[variant][0], samples.batch))
            extremes = widened(extremes, names, run)
            tick()
    return extremes


def _count(
    tally: Tally,
    outputs: list[Array],
    references: list[Array],
    inputs: tuple[Array, ...],
    labels: NDArray[np.integer] | None,
    batch: int,
) -> None:
    tally.meter.add(references, outputs, inputs[0] if len(inputs) == 1 else None)
    with np.errstate(invalid="ignore"):
        tally.first += ErrorEnergy.of(references[0], outputs[0])
    if tally.decisions is not None:
        tally.decisions.add(by_sample(outputs[0], batch), by_sample(references[0], batch), labels)
    if tally.files is not None:
        tally.files.add([by_sample(output, batch) for output in outputs])


def _described(tally: Tally, samples: SampleSet, *, labelled: bool) -> dict[str, Any]:
    """Infinite SQNRs are written as strings, as JSON has no infinity."""
    parts = tally.meter.noise()
    decisions = {} if tally.decisions is None else tally.decisions.as_dict(samples.samples, labelled=labelled)
    return {
        "samples": samples.samples,
        **decisions,
        "output_sqnr_db": json_number(tally.first.sqnr_db),
        "worst_sqnr_db": json_number(worst_db(parts)),
        "parts": [_part(part) for part in parts],
    }


def _part(noise: PartNoise) -> dict[str, Any]:
    return {
        "name": noise.part.name,
        "output": noise.part.output_name,
        "judged": noise.part.is_judged,
        "signal": noise.signal,
        "sqnr_db": json_number(noise.sqnr_db),
        "whole_sqnr_db": json_number(noise.whole_sqnr_db),
    }


def _files(tally: Tally) -> OutputFiles:
    assert tally.files is not None, "outputs are written where there is a scorer"
    return tally.files
