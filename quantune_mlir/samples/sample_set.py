"""Calibration and evaluation samples, read one after the other: memory stays the same however many there are."""

from __future__ import annotations

import copy
import difflib
import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import ArgumentError, DataError
from quantune_mlir.files.access import MIB
from quantune_mlir.samples.images import ImageSource, pictures_in
from quantune_mlir.samples.iterables import Given, gathered
from quantune_mlir.samples.preprocess import Preprocess
from quantune_mlir.samples.sources import ArraySource, Openers, find_sources

LABELS: Final = "labels"
_MOST_LABELS: Final = 256 * MIB


@dataclass(frozen=True)
class InputSpec:
    """A model input: its name, its static shape as the model declares it, its NumPy dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", np.dtype(self.dtype))


@dataclass(frozen=True)
class _Feed:
    """How the rows of one array make up the model's input: `rows` consecutive ones a run, in the input's shape."""

    source: ArraySource
    spec: InputSpec
    rows: int

    @property
    def runs(self) -> int:
        return self.source.shape[0] // self.rows


class ArrayShapes(Mapping[str, tuple[int, ...]]):
    """The shapes of arrays by name, each read when it is asked for."""

    def __init__(self, path: Path | str | Mapping[str, NDArray[np.generic]]) -> None:
        self._path = path

    @cached_property
    def _sources(self) -> Openers:
        return find_sources(self._path)

    def __getitem__(self, name: str) -> tuple[int, ...]:
        return self._sources[name]().shape

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


class SampleSet:
    """Samples for a model's inputs, as runs: a run is what one inference takes.

    Samples lie along axis 0 of one array per input. An input with leading dimension b takes b consecutive samples a
    run (a last incomplete group is dropped), whether or not the model means that dimension as a batch. An array with
    one dimension more than the input holds one whole input per entry instead. NaN and Inf are found when a sample is
    read: iterating then raises a DataError that names the array and the sample.

    """

    def __init__(
        self,
        sources: Openers,
        inputs: Sequence[InputSpec],
        *,
        count: int | None = None,
        seed: int = 0,
        where: str = "samples",
        content: str | None = None,
    ) -> None:
        self._where = where
        self._content = content
        self._feeds = [self._feed(sources, spec, inputs) for spec in inputs]
        if not self._feeds:
            raise DataError("the model has no input to give samples to", where=where)
        available = self._common_number_of_runs()
        self._chosen = self._choose(available, count, seed)
        self._label_source = self._find_labels(sources)

    @property
    def where(self) -> str:
        """What errors call the samples: their file, if they have one."""
        return self._where

    @staticmethod
    def open(
        path: Path | str | Mapping[str, NDArray[np.generic]] | Given,
        inputs: Sequence[InputSpec],
        count: int | None = None,
        seed: int = 0,
        preprocess: Preprocess | None = None,
        content: str | None = None,
    ) -> SampleSet:
        """The samples of a file, of a folder of arrays or of pictures, of arrays in memory, or of an iterable.

        Args:
            path: an .npz; a folder of `<input name>.npy` or of pictures; arrays by name; or what gives samples one
                after the other, of which the first are taken, see `Given`. `labels`, if there, gives one label per
                sample; arrays with other names than the inputs' are ignored.
            inputs: the model's inputs, in its order.
            count: take at most so many samples: a random subset, in their original order (with a batch above 1, whole
                runs of consecutive samples). None takes all.
            seed: of the random subset.
            preprocess: how pictures become inputs.
            content: SHA-256 of the file, if it is one and that is known.

        Raises:
            ArgumentError: `inputs` are not a model's inputs.
            DataError: the data is missing or broken, or does not fit the inputs.
        """
        _check_inputs(inputs)
        if not isinstance(path, Path | str | Mapping):
            return SampleSet(find_sources(gathered(path, inputs, count)), inputs, count=count, seed=seed)
        where = "samples" if isinstance(path, Mapping) else str(path)
        sources = _find_pictures(path, inputs, preprocess) or find_sources(path)
        if not sources and not isinstance(path, Mapping) and Path(path).is_dir():
            raise DataError(
                "holds neither .npy files nor pictures",
                where=where,
                remedy="give a folder of pictures, or of one NAME.npy for each model input, or an .npz file",
            )
        return SampleSet(sources, inputs, count=count, seed=seed, where=where, content=content)

    def __len__(self) -> int:
        """Number of runs."""
        return len(self._chosen)

    def only(self, runs: Sequence[int]) -> SampleSet:
        """Some of the runs, by ascending positions, without labels."""
        part = copy.copy(self)
        part._chosen, part._label_source = self._chosen[list(runs)], None
        for known in ("labels", "digest"):
            vars(part).pop(known, None)
        return part

    @property
    def batch(self) -> int:
        """Samples per run, those of the first input."""
        return self._feeds[0].rows

    @property
    def left_over(self) -> int:
        """Samples at the end of the data that make no whole run."""
        feed = self._feeds[0]
        return feed.source.shape[0] % feed.rows

    @property
    def samples(self) -> int:
        """Number of samples in all runs."""
        return len(self) * self.batch

    def number_of(self, run: int) -> int:
        """Where in the data, counted from 0, the first sample of a run stands."""
        return int(self._chosen[run]) * self.batch

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all samples, which are read for it.

        Raises:
            DataError: one holds NaN or Inf; with its array and place.
        """
        found = hashlib.sha256(self._fed)
        for run in self:
            for array in run:
                found.update(np.ascontiguousarray(array).data.cast("B"))
        return found.hexdigest()

    @property
    def key(self) -> str:
        """A key of all samples: of the file that holds them, where its content is known, else `digest`."""
        if self._content is None:
            return self.digest
        return hashlib.sha256(self._fed + self._content.encode() + self._chosen.tobytes()).hexdigest()

    @property
    def _fed(self) -> bytes:
        """What they are read for."""
        specs = (feed.spec for feed in self._feeds)
        return "".join(f"{spec.name!r} {spec.shape} {spec.dtype}\n" for spec in specs).encode()

    def require_finite(self) -> None:
        """Read all samples once. Raises DataError that names the array and the sample with a NaN or Inf."""
        if self._content is None:
            _ = self.digest  # Asked for later.
        else:
            deque(self, maxlen=0)

    def __iter__(self) -> Iterator[tuple[NDArray[np.generic], ...]]:
        """The runs: arrays in the order and shape of the model's inputs, each its own memory."""
        readers = [self._values(feed) for feed in self._feeds]
        return zip(*readers, strict=True)

    def _values(self, feed: _Feed) -> Iterator[NDArray[np.generic]]:
        starts = (int(run) * feed.rows for run in self._chosen)
        for start, value in feed.source.read(starts, feed.rows):
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                bad = ~np.isfinite(value.reshape(feed.rows, -1)).all(axis=1)
                raise DataError(
                    f"array {feed.spec.name!r} holds NaN or Inf in sample {start + int(np.argmax(bad))}",
                    where=self._where,
                    remedy="remove or repair that sample",
                )
            yield value.reshape(feed.spec.shape).astype(feed.spec.dtype, copy=False)

    def _feed(self, sources: Openers, spec: InputSpec, inputs: Sequence[InputSpec]) -> _Feed:
        if spec.name not in sources:
            raise self._missing(spec.name, sources, inputs)
        source = sources[spec.name]()
        if source.dtype != spec.dtype.newbyteorder("="):
            raise DataError(
                f"array {spec.name!r} is {source.dtype}, the model takes {spec.dtype}",
                where=self._where,
                remedy=f"save it as array.astype(np.{spec.dtype})",
            )
        if len(source.shape) == len(spec.shape) + 1 and source.shape[1:] == spec.shape:
            return _Feed(source, spec, 1)
        if spec.shape and len(source.shape) == len(spec.shape) and source.shape[1:] == spec.shape[1:]:
            return _Feed(source, spec, spec.shape[0])
        expected = ", ".join(["samples", *map(str, spec.shape[1:])])
        raise DataError(
            f"array {spec.name!r} has shape {list(source.shape)}, the model's input of shape {list(spec.shape)} "
            f"takes [{expected}]",
            where=self._where,
            remedy="samples lie along axis 0; transpose or reshape the rest (images may be channels first or last)",
        )

    def _missing(self, name: str, sources: Openers, inputs: Sequence[InputSpec]) -> DataError:
        expected = ", ".join(repr(spec.name) for spec in inputs)
        found = ", ".join(map(repr, sources)) or "none"
        others = {source.lower(): source for source in sources if source not in {spec.name for spec in inputs}}
        nearest = difflib.get_close_matches(name.lower(), others, n=1, cutoff=0.5)
        hint = f"rename {others[nearest[0]]!r} to {name!r}" if nearest else f"save the samples under the name {name!r}"
        return DataError(
            f"no array for the model input {name!r}; expected {expected}, found {found}",
            where=self._where,
            remedy=hint,
        )

    def _common_number_of_runs(self) -> int:
        first = self._feeds[0]
        for feed in self._feeds[1:]:
            if feed.runs != first.runs:
                raise DataError(
                    f"array {first.spec.name!r} has {first.source.shape[0]} samples, {feed.spec.name!r} has "
                    f"{feed.source.shape[0]}: they make {first.runs} and {feed.runs} runs of the model",
                    where=self._where,
                    remedy="give every input the same samples",
                )
        if not first.runs:
            raise DataError(
                f"array {first.spec.name!r} has {first.source.shape[0]} samples, a run of the model takes {first.rows}",
                where=self._where,
                remedy="give at least one full batch of samples",
            )
        return first.runs

    def _choose(self, available: int, count: int | None, seed: int) -> NDArray[np.int64]:
        wanted = available if count is None else count // self.batch
        if wanted < 1:
            raise DataError(
                f"{count} samples are asked for, a run of the model takes {self.batch}",
                where=self._where,
                remedy=f"ask for at least {self.batch}",
            )
        if wanted >= available:
            return np.arange(available)
        return np.sort(np.random.default_rng(seed).choice(available, size=wanted, replace=False))

    def _find_labels(self, sources: Openers) -> ArraySource | None:
        """The labels, yet to be read: most commands need none."""
        if LABELS not in sources or any(feed.spec.name == LABELS for feed in self._feeds):
            return None
        source = sources[LABELS]()
        samples = self._feeds[0].source.shape[0]
        if not source.shape or source.shape[0] != samples:
            raise DataError(
                f"array {LABELS!r} has shape {list(source.shape)}, but there are {samples} samples",
                where=self._where,
                remedy="give one label per sample, or leave the labels out",
            )
        return source

    @cached_property
    def labels(self) -> NDArray[np.generic] | None:
        """The labels of the chosen samples, or None. Raises DataError if they cannot be read."""
        source = self._label_source
        if source is None:
            return None
        size = prod(source.shape) * source.dtype.itemsize
        if size > _MOST_LABELS:
            raise DataError(
                f"array {LABELS!r} has {size} bytes; at most {_MOST_LABELS} are read",
                where=self._where,
                remedy="give one number per sample",
            )
        _, labels = next(source.read(iter([0]), source.shape[0]))
        rows = (self._chosen[:, None] * self.batch + np.arange(self.batch)).reshape(-1)
        return labels[rows]


def _check_inputs(given: object) -> None:
    specs = cast("Sequence[object]", given) if isinstance(given, Sequence) else [None]
    if not all(isinstance(spec, InputSpec) for spec in specs):
        raise ArgumentError("the inputs of a model are needed here", remedy="give model.inputs, of a Model")


def _find_pictures(
    path: Path | str | Mapping[str, NDArray[np.generic]], inputs: Sequence[InputSpec], preprocess: Preprocess | None
) -> Openers | None:
    """The pictures of a folder that has no arrays, for the model's only input; None if it is no such folder."""
    folder = None if isinstance(path, Mapping) or not Path(path).is_dir() else Path(path)
    pictures = () if folder is None or any(folder.glob("*.npy")) else tuple(pictures_in(folder))
    if not pictures:
        if preprocess is not None:
            raise DataError("there are no pictures", where=str(path), remedy="leave out --preprocess")
        return None
    if preprocess is None:
        raise DataError(
            "holds pictures, and it is not said how they become inputs",
            where=str(path),
            remedy="give --preprocess as in training: mean=0.485:0.456:0.406,std=0.229:0.224:0.225,size=256, say",
        )
    if len(inputs) != 1 or inputs[0].dtype != np.float32:
        raise DataError(
            "pictures are for models with one input of float32", where=str(path), remedy="give arrays: an .npz"
        )
    source = ImageSource(pictures, inputs[0].shape, preprocess)
    return {inputs[0].name: lambda: source}
