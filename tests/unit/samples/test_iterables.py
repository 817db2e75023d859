"""Samples from what Python gives one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from quantune_mlir.errors import DataError
from quantune_mlir.samples.sample_set import InputSpec, SampleSet

ONE = [InputSpec("x", (1, 2), np.dtype(np.float32))]
TWO = [*ONE, InputSpec("y", (1, 3), np.dtype(np.float32))]
VALUES = np.arange(12, dtype=np.float32).reshape(6, 2)


class Tensor:
    """As other libraries have them."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._values


class Loader:
    """Batches of two with labels, as often as wanted."""

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        for start in range(0, 6, 2):
            yield Tensor(VALUES[start : start + 2]), 7


@pytest.mark.parametrize(
    "given",
    [
        list(VALUES),
        VALUES,
        (row[None] for row in VALUES),
        lambda: iter(VALUES),
        [{"x": row, "other": 0} for row in VALUES],
        Loader(),
    ],
)
def test_samples_and_batches(given: Any) -> None:
    samples = SampleSet.open(given, ONE)
    np.testing.assert_array_equal(np.concatenate([x for (x,) in samples]), VALUES)


def test_no_more_are_taken_than_asked_for() -> None:
    def endless() -> Iterator[np.ndarray]:
        while True:
            yield VALUES[:2]

    assert len(SampleSet.open(endless(), ONE, count=5)) == 5


def test_several_inputs() -> None:
    given = [(row, np.ones(3, np.float32)) for row in VALUES]
    assert [len(run) for run in SampleSet.open(given, TWO)] == [2] * 6


@pytest.mark.parametrize(
    ("given", "inputs", "message"),
    [
        ([], ONE, "no samples"),
        ([np.zeros(5)], ONE, "has shape"),
        ([np.zeros(2)], TWO, "one array for 2 inputs"),
        ([(np.zeros(2),)], TWO, "1 arrays for 2 inputs"),
        ([{"z": 0}], ONE, "lacks 'x'"),
        ([np.zeros(2)], ONE, "float64"),
    ],
)
def test_what_does_not_fit(given: Any, inputs: list[InputSpec], message: str) -> None:
    with pytest.raises(DataError, match=message):
        SampleSet.open(given, inputs)
