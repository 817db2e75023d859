"""What a program says of samples, and what is right."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError
from quantune_mlir.execution.program import Program
from quantune_mlir.ir.edit import shape_of
from quantune_mlir.ir.units import entry_block
from quantune_mlir.samples import SampleSet
from quantune_mlir.workflow.model import Model


def first_outputs(program: Program, samples: SampleSet, on_run: Callable[[], None]) -> NDArray[np.float32]:
    """(samples, elements): the first output for all samples."""
    rows: list[NDArray[np.float32]] = []
    for run in samples:
        output = by_sample(program(*run)[0].astype(np.float32), samples.batch)
        rows.append(output.reshape(len(output), -1))
        on_run()
    return np.concatenate(rows)


def scores_per_sample(model: Model, batch: int) -> int:
    """How many elements the model's first output has for each sample."""
    block = entry_block(model.function)
    first = block.operations[len(block.operations) - 1].operation.operands[0]
    return math.prod(shape_of(first)) // batch


def check_labels(model: Model, samples: SampleSet) -> None:
    """Raises DataError if samples have classes as labels, and one of them is none of the model's."""
    scores = scores_per_sample(model, samples.batch)
    if samples.labels is not None and samples.labels.ndim == 1 and samples.labels.dtype.kind in "iu" and scores > 1:
        class_labels(samples, scores)


def class_labels(samples: SampleSet, scores: int) -> NDArray[np.integer] | None:
    """The labels of samples, (samples,), or None. Raises DataError if they are no classes of so many scores."""
    if samples.labels is None:
        return None
    labels = np.asarray(samples.labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"labels must be one integer per sample, not {labels.dtype}{list(labels.shape)}",
            where="labels",
            remedy="save class indices, or leave `labels` out",
        )
    classes = labels.astype(np.int64)
    outside = (classes < 0) | (classes >= scores)
    if outside.any():
        raise DataError(
            f"sample {int(outside.argmax())} is labelled {classes[outside][0]}, but the model's first output has "
            f"{scores} score(s) a sample: labels are 0 to {scores - 1}",
            where="labels",
            remedy="count classes as the model does, or leave `labels` out",
        )
    return classes


def by_sample(output: NDArray[np.float32], batch: int) -> NDArray[np.float32]:
    """The output with samples along axis 0, also where the model drops a batch of one."""
    return output if output.ndim and output.shape[0] == batch else output.reshape(batch, -1)
