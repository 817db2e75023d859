"""Samples from whatever gives one after the other: a list, a generator, a function that returns one, a loader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError

Given = Iterable[Any] | Callable[[], Iterable[Any]]
"""Items are an array, a tuple with one for each input (what follows, labels say, is left out), or arrays by name; each
array is a sample or a batch of samples. Tensors of other libraries do, if NumPy can read them."""


class Input(Protocol):
    """What an array is for."""

    @property
    def name(self) -> str:
        """The input's name."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The input's shape."""
        ...


def gathered(given: Given, inputs: Sequence[Input], count: int | None) -> dict[str, NDArray[np.generic]]:
    """Arrays by input, samples along axis 0: the first `count` samples, or all. Raises DataError if there are none."""
    rows: dict[str, list[NDArray[np.generic]]] = {spec.name: [] for spec in inputs}
    items = given() if callable(given) else given
    for item in items if count is None else islice(items, count):
        for spec, value in zip(inputs, _values(item, inputs), strict=True):
            rows[spec.name] += _samples(value, spec)
        if count is not None and min(map(len, rows.values())) >= count:
            break
    if not all(rows.values()):
        raise DataError("there are no samples", where="samples", remedy="give at least one")
    return {name: np.stack(samples[:count]) for name, samples in rows.items()}


def _values(item: Any, inputs: Sequence[Input]) -> list[Any]:
    """The item's array for each input."""
    if isinstance(item, Mapping):
        missing = [spec.name for spec in inputs if spec.name not in item]
        if missing:
            raise DataError(f"an item lacks {missing[0]!r}", where="samples", remedy="name it as the input is named")
        return [item[spec.name] for spec in inputs]
    if isinstance(item, tuple | list):
        if len(item) < len(inputs):
            raise DataError(f"an item has {len(item)} arrays for {len(inputs)} inputs", where="samples")
        return list(item[: len(inputs)])
    if len(inputs) > 1:
        raise DataError(f"an item is one array for {len(inputs)} inputs", where="samples", remedy="give tuples")
    return [item]


def _samples(value: Any, spec: Input) -> list[NDArray[np.generic]]:
    """The samples of an array: itself, or its rows."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    array = np.asarray(value)
    if array.shape == spec.shape[1:]:
        return [array]
    if array.shape[1:] == spec.shape[1:]:
        return list(array)
    raise DataError(
        f"an array for {spec.name!r} has shape {list(array.shape)}, the model takes {list(spec.shape)}",
        where="samples",
        remedy="give one sample, or a batch of samples along axis 0",
    )
