"""What a program says of samples, and what is right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError
from quantune_mlir.execution.program import Program
from quantune_mlir.samples import SampleSet


def first_outputs(program: Program, samples: SampleSet, on_run: Callable[[], None]) -> NDArray[np.float32]:
    """(samples, elements): the first output for all samples."""
    rows: list[NDArray[np.float32]] = []
    for run in samples:
        output = by_sample(program(*run)[0].astype(np.float32), samples.batch)
        rows.append(output.reshape(len(output), -1))
        on_run()
    return np.concatenate(rows)


def class_labels(samples: SampleSet) -> NDArray[np.integer] | None:
    """The labels of samples, (samples,), or None. Raises DataError if they are no classes."""
    if samples.labels is None:
        return None
    labels = np.asarray(samples.labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"labels must be one integer per sample, not {labels.dtype}{list(labels.shape)}",
            where="labels",
            remedy="save class indices, or leave `labels` out",
        )
    return labels.astype(np.int64)


def by_sample(output: NDArray[np.float32], batch: int) -> NDArray[np.float32]:
    """The output with samples along axis 0, also where the model drops a batch of one."""
    return output if output.ndim and output.shape[0] == batch else output.reshape(batch, -1)
