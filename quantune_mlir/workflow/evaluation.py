"""Accuracy of the variants of a quantized model, on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.execution.program import Program
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.samples import SampleSet
from quantune_mlir.workflow.outputs import by_sample, class_labels, scores_per_sample
from quantune_mlir.workflow.progress import SILENT, Progress
from quantune_mlir.workflow.variants import Variant, Variants


@dataclass
class Score:
    """Running counts of one variant against the labels and against fp32.

    Agreement is that of the largest output; top-k counts a label among the k largest. Both regard the first output.
    """

    samples: int = 0
    agreeing: int = 0
    top1: int = 0
    top5: int = 0
    error: ErrorEnergy = field(default_factory=ErrorEnergy)

    def add(
        self, output: NDArray[np.float32], reference: NDArray[np.float32], labels: NDArray[np.integer] | None
    ) -> None:
        """Counts the samples of one run: outputs (samples, ...) of this variant and of fp32, labels (samples,)."""
        rows, expected = output.reshape(len(output), -1), reference.reshape(len(reference), -1)
        self.samples += len(rows)
        self.agreeing += int((rows.argmax(axis=1) == expected.argmax(axis=1)).sum())
        self.error += ErrorEnergy.of(reference, output)
        if labels is not None:
            best = np.argsort(-rows, axis=1, kind="stable")[:, :5]
            self.top1 += int((best[:, 0] == labels).sum())
            self.top5 += int((best == labels[:, None]).any(axis=1).sum())

    def as_dict(self, *, labelled: bool) -> dict[str, Any]:
        """What the JSON file holds; an infinite SQNR (equal outputs) is written as a string."""
        sqnr = self.error.sqnr_db
        result: dict[str, Any] = {"samples": self.samples, "agreement": self.agreeing / self.samples}
        if labelled:
            result |= {"top1": self.top1 / self.samples, "top5": self.top5 / self.samples}
        result["output_sqnr_db"] = str(sqnr) if sqnr is not None and np.isinf(sqnr) else sqnr
        return result


@dataclass(frozen=True)
class Evaluation:
    """Scores by variant, and the raw first outputs, (samples, ...), if they were asked for."""

    scores: dict[Variant, dict[str, Any]]
    outputs: dict[Variant, NDArray[np.float32]]


def evaluate(
    variants: Variants,
    samples: SampleSet,
    chosen: Sequence[Variant],
    *,
    keep_outputs: bool = False,
    progress: Progress = SILENT,
) -> Evaluation:
    """Runs the chosen variants and fp32 over the samples, side by side.

    Raises:
        DataError: the labels do not fit the model's first output.
    """
    labels = class_labels(samples, scores_per_sample(variants.model, samples.batch))
    programs: dict[Variant, Program] = {}
    variants_to_run: tuple[Variant, ...] = ("fp32", *chosen)
    for variant in dict.fromkeys(variants_to_run):
        with progress.stage(f"compile {variant}"):
            programs[variant] = variants.load(variant)
    scores: dict[Variant, Score] = {variant: Score() for variant in chosen}
    outputs: dict[Variant, list[NDArray[np.float32]]] = {variant: [] for variant in chosen}
    with progress.stage("evaluate", len(samples)) as tick:
        for index, run in enumerate(samples):
            first = {variant: program(*run)[0].astype(np.float32) for variant, program in programs.items()}
            per_sample = {variant: by_sample(output, samples.batch) for variant, output in first.items()}
            mine = labels[index * samples.batch : (index + 1) * samples.batch] if labels is not None else None
            for variant in chosen:
                scores[variant].add(per_sample[variant], per_sample["fp32"], mine)
                if keep_outputs:
                    outputs[variant].append(per_sample[variant])
            tick()
    return Evaluation(
        {variant: score.as_dict(labelled=labels is not None) for variant, score in scores.items()},
        {variant: np.concatenate(rows) for variant, rows in outputs.items() if rows},
    )
