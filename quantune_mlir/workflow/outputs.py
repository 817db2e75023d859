"""What a program says of samples: all of it, and how it tells the class of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.program import Array, Program
from quantune_mlir.backend.workers import outputs_of
from quantune_mlir.errors import DataError
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet


@dataclass(frozen=True)
class Classification:
    """A first output that tells the class of each sample.

    Attributes:
        scores: how many scores a sample has, of which the largest decides; None: the output is the class itself.
        certain: whether the model says so, by a softmax or an argmax. Else only labels do.
    """

    scores: int | None
    certain: bool

    @staticmethod
    def of(model: Model, batch: int) -> Classification | None:
        """How the first output of a model of so many samples a run tells classes; None if it cannot."""
        part, *more = (part for part in model.parts if part.output == 0)
        by_sample = part.shape[:1] == (batch,)
        longer = [size for size in (part.shape[1:] if by_sample else part.shape) if size > 1]
        if part.reading == "classes" and not longer:
            return Classification(None, certain=True)
        if not (by_sample or batch == 1) or len(longer) != 1 or part.reading == "classes" or part.resembles_input:
            return None
        return Classification(longer[0], certain=part.scores is not None and not more)

    def decisions(self, outputs: NDArray[np.generic]) -> NDArray[np.integer]:
        """The class of each sample, from first outputs with samples along axis 0."""
        rows = outputs.reshape(len(outputs), -1)
        return rows[:, 0].astype(np.int64) if self.scores is None else rows.argmax(axis=1)


def all_outputs(program: Program, samples: SampleSet, on_run: Callable[[], None]) -> Iterator[list[Array]]:
    """All outputs of each run, with samples along axis 0."""
    for outputs in outputs_of(program, samples, on_run):
        yield [by_sample(output, samples.batch) for output in outputs]


def by_sample(output: Array, batch: int) -> Array:
    """The output with samples along axis 0; a row for the whole run if it has none for each sample."""
    if output.ndim and output.shape[0] == batch:
        return output
    return output[None] if batch == 1 or output.size % batch else output.reshape(batch, -1)


def class_labels(samples: SampleSet, classification: Classification | None) -> NDArray[np.integer] | None:
    """The labels of samples, (samples,), or None without labels.

    Raises:
        DataError: they are no classes, or none of those that the model tells.
    """
    if samples.labels is None:
        return None
    labels = np.asarray(samples.labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"labels must be one integer per sample, not {labels.dtype}{list(labels.shape)}",
            where=f"{samples.where}, array 'labels'",
            remedy="save class indices, leave `labels` out, or give a function that knows what they mean by --score",
        )
    if classification is None:
        raise DataError(
            "labels are classes, and the model's first output has no scores of classes",
            where=f"{samples.where}, array 'labels'",
            remedy="leave `labels` out, or give a function that knows what they mean by --score",
        )
    labels = labels.astype(np.int64)
    count = classification.scores
    outside = (labels < 0) | (labels >= count) if count is not None else np.zeros(len(labels), np.bool_)
    if outside.any():
        raise DataError(
            f"sample {int(outside.argmax())} is labelled {labels[outside][0]}, but the model's first output has "
            f"{count} score(s) a sample: labels are 0 to {(count or 0) - 1}",
            where=f"{samples.where}, array 'labels'",
            remedy="count classes as the model does, or leave `labels` out",
        )
    return labels


def check_labels(model: Model, samples: SampleSet) -> None:
    """Raises DataError if model and labels look like classes, and a label is none of the model's."""
    found, labels = Classification.of(model, samples.batch), samples.labels
    if found is not None and labels is not None and labels.ndim == 1 and labels.dtype.kind in "iu":
        class_labels(samples, found)
