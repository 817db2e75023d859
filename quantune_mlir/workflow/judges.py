"""What a candidate of `--max-drop` loses against fp32: samples that it decides otherwise, or a score of the user's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from quantune_mlir.backend.program import Array
from quantune_mlir.errors import PlanError, ScoreError
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.numerics.drop import Drop, ScoreDrop, estimate_drop
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.output_files import OutputFiles
from quantune_mlir.workflow.outputs import Classification, class_labels
from quantune_mlir.workflow.scoring import Scorer

Outputs = Callable[[ir.Module, str], Iterator[list[Array]]]
"""Compiles a module and runs it: all outputs of each run. The text says which it is."""

Judge = Callable[[ir.Module], Drop | ScoreDrop]
"""What a mixed module loses."""


def check_decides(model: Model, samples: SampleSet) -> None:
    """Raises PlanError if the model has no scores of classes, so that no samples can be lost; DataError for labels."""
    classification = Classification.of(model, samples.batch)
    class_labels(samples, classification)
    if classification is None or classification.scores is None:
        raise PlanError(
            "counts samples that are decided otherwise, and the model's first output has no scores of classes",
            where="--max-drop",
            remedy="give a function that scores its outputs by --score, or limit the noise by --min-sqnr",
        )


def class_judge(model: Model, samples: SampleSet, outputs: Outputs) -> Judge:
    """Counts and estimates lost samples, of those that fp32 has right; without labels, of all."""
    labels = class_labels(samples, Classification.of(model, samples.batch))
    reference = _scores(outputs(model.module, "fp32"))
    return lambda module: estimate_drop(reference, _scores(outputs(module, "a candidate")), labels)


def score_judge(model: Model, samples: SampleSet, outputs: Outputs, scorer: Scorer, folder: Path) -> Judge:
    """Compares scores. Outputs lie in `folder`. Raises ScoreError if fp32 has a score of 0."""

    def stored(module: ir.Module, what: str) -> OutputFiles:
        files = OutputFiles(folder / what.replace(" ", "-"), len(samples))
        for run in outputs(module, what):
            files.add(run)
        return files

    references = stored(model.module, "fp32")
    best = scorer(references.arrays(), references.arrays(), samples.labels)
    if best == 0:
        raise ScoreError(
            "gives fp32 a score of 0, of which nothing can be lost",
            where=str(scorer.path),
            remedy="let it return more than 0 for fp32's own outputs, or less for losses",
        )

    def judge(module: ir.Module) -> ScoreDrop:
        candidate = stored(module, "a candidate")
        return ScoreDrop(scorer(candidate.arrays(), references.arrays(), samples.labels), best)

    return judge


def _scores(outputs: Iterator[list[Array]]) -> np.ndarray:
    """(samples, classes), of the first output."""
    return np.concatenate([first.reshape(len(first), -1).astype(np.float32) for first, *_ in outputs])
