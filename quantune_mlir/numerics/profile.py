"""A calibration profile: a histogram of each tensor of a model, channel statistics of some. Merged exactly."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError
from quantune_mlir.files.access import MIB, read_file
from quantune_mlir.files.format_versions import check_version
from quantune_mlir.numerics.channels import BINS, ChannelStatistics
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.npz import BROKEN, read_arrays
from quantune_mlir.numerics.ranges import choose_range
from quantune_mlir.numerics.run_extremes import KEPT, RunExtremes
from quantune_mlir.numerics.schemes import RangeMethod, Scheme

FORMAT: Final = 4
_WITHOUT_RUNS: Final = 3
"""The format that has the extremes of all runs only."""
_HEADER: Final = "header"
_ARRAYS: Final = (
    *("lengths", "buckets", "counts"),
    *("channel_lengths", "channel_counts", "channel_sums", "channel_minimum", "channel_maximum"),
)
_EXTREMES: Final = {FORMAT: ("runs", "lowest", "highest"), _WITHOUT_RUNS: ("minimum", "maximum")}
_LARGEST: Final = 512 * MIB
"""Bytes of the file, and of what it holds: a thousand tensors with every bucket occupied."""
_MOST: Final = 1 << 53
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class Profile(Mapping[str, Histogram]):
    """Histograms by tensor, in the model's order. Never holds NaN or Inf.

    A tensor is called by its layer's name, further outputs of a layer `name:1`, `name:2`, and the graph input `x` `%x`.

    Args:
        model: hash of the model profiled.
        samples: number of samples seen.
        histograms: by tensor name, in graph order.
        channels: by the names of graph/channels.py, in graph order.

    Raises:
        DataError: a tensor held NaN or Inf; it is named.
    """

    def __init__(
        self,
        model: str,
        samples: int,
        histograms: Mapping[str, Histogram],
        channels: Mapping[str, ChannelStatistics] | None = None,
    ) -> None:
        for name, histogram in histograms.items():
            histogram.require_finite(name)
        self.model = model
        self.samples = samples
        self.channels = dict(channels or {})
        self._histograms = dict(histograms)
        self._ranges: dict[tuple[tuple[str, ...], RangeMethod, Scheme], tuple[float, float]] = {}

    def range_of(self, tensors: tuple[str, ...], method: RangeMethod, scheme: Scheme) -> tuple[float, float]:
        """The range for what these tensors hold together, by `choose_range`. Kept: each rewrite asks for it again.

        Raises:
            DataError: the profile has no such tensor.
        """
        key = tensors, method, scheme
        if key not in self._ranges:
            histograms = [self._histogram_of(tensor) for tensor in tensors]
            self._ranges[key] = choose_range(reduce(Histogram.join, histograms), method, scheme=scheme)
        return self._ranges[key]

    def known_ranges(self) -> bytes:
        """All ranges that were asked for, for `know_ranges`."""
        told = [(*key, *found) for key, found in self._ranges.items()]
        return json.dumps(told).encode()

    def know_ranges(self, data: bytes) -> None:
        """Take the ranges that were told of this profile by `known_ranges`: choosing takes longer."""
        for tensors, method, scheme, lo, hi in json.loads(data):
            self._ranges[tuple(tensors), RangeMethod(method), Scheme(scheme)] = lo, hi

    def require_model(self, model: str | None) -> None:
        """Raise DataError if the profile is of another model than the one with this hash; None is any."""
        if model is not None and model != self.model:
            raise DataError(
                f"the profile is of another model ({self.model[:12]}, this is {model[:12]})",
                where="profile",
                remedy="make it again: quantune profile make MODEL --calibration DATA",
            )

    def _histogram_of(self, tensor: str) -> Histogram:
        if tensor not in self:
            raise DataError(
                "the profile has no such tensor", where=tensor, remedy="profile this model again; it has changed"
            )
        return self[tensor]

    def channels_of(self, tensor: str) -> ChannelStatistics:
        """The channel statistics of a tensor. Raises DataError if the profile has none."""
        if tensor not in self.channels:
            raise DataError(
                "the profile has no channel statistics of this tensor",
                where=tensor,
                remedy="profile this model again; it has changed",
            )
        return self.channels[tensor]

    def __getitem__(self, tensor: str) -> Histogram:
        return self._histograms[tensor]

    def __iter__(self) -> Iterator[str]:
        return iter(self._histograms)

    def __len__(self) -> int:
        return len(self._histograms)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Profile):
            return NotImplemented
        mine, theirs = ((p.model, p.samples, list(p.items()), list(p.channels.items())) for p in (self, other))
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]

    def to_bytes(self) -> bytes:
        """The .npz file: the same bytes for the same profile."""
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        histograms = list(self.values())
        channels = list(self.channels.values())
        header = {
            "format": FORMAT,
            "model": self.model,
            "samples": self.samples,
            "tensors": list(self),
            "channel_tensors": list(self.channels),
        }
        buckets = [histogram.buckets for histogram in histograms]
        counts = [histogram.counts for histogram in histograms]
        extremes = [histogram.extremes for histogram in histograms]
        return _zip(
            {
                _HEADER: np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8),
                "lengths": np.array([len(b) for b in buckets], np.uint32),
                "buckets": np.concatenate([np.zeros(0, np.uint16), *buckets]),
                "counts": np.concatenate([np.zeros(0, np.uint64), *counts]),
                "runs": np.array([each.runs for each in extremes], np.uint64),
                "lowest": np.concatenate([np.zeros(0, np.float32), *(each.lowest for each in extremes)]),
                "highest": np.concatenate([np.zeros(0, np.float32), *(each.highest for each in extremes)]),
                "channel_lengths": np.array([len(c.minimum) for c in channels], np.uint32),
                "channel_counts": np.array([c.count for c in channels], np.uint64),
                "channel_sums": np.concatenate([np.zeros((0, BINS), np.int64), *(c.bins for c in channels)]),
                "channel_minimum": np.concatenate([np.zeros(0, np.float32), *(c.minimum for c in channels)]),
                "channel_maximum": np.concatenate([np.zeros(0, np.float32), *(c.maximum for c in channels)]),
            }
        )

    @staticmethod
    def from_bytes(data: bytes, where: str | None = None) -> Profile:
        """Read what `to_bytes` wrote. Raises DataError, naming the file `where`, for anything else."""
        try:
            text = read_arrays(data, [_HEADER], limit=_LARGEST)[_HEADER]
            header = json.loads(bytes(text.astype(np.uint8, casting="equiv")))
            version = header["format"]
            check_version(version, list(_EXTREMES), error=DataError, where=where)
            if version not in _EXTREMES:
                raise DataError(
                    f"the profile has format {version!r}, this version reads {_WITHOUT_RUNS} and {FORMAT}",
                    where=where,
                    remedy="calibrate again",
                )
            arrays = read_arrays(data, [*_ARRAYS, *_EXTREMES[version]], limit=_LARGEST)
            tensors, channel_tensors = _names(header, "tensors"), _names(header, "channel_tensors")
            profile = Profile(
                _text(header["model"]),
                _count(header["samples"]),
                dict(zip(tensors, _split(arrays), strict=True)),
                dict(zip(channel_tensors, _split_channels(arrays), strict=True)),
            )
        except BROKEN as error:
            raise DataError(f"not a readable profile: {error}", where=where, remedy="calibrate again") from error
        return profile

    @staticmethod
    def restored(data: bytes) -> Profile:
        """Read what `to_bytes` gave, which it then gives again as it is. Raises as `from_bytes` does."""
        profile = Profile.from_bytes(data)
        vars(profile)["_bytes"] = data
        return profile

    def save(self, path: Path | str) -> None:
        """Write the profile to a file."""
        Path(path).write_bytes(self.to_bytes())

    @staticmethod
    def load(path: Path | str) -> Profile:
        """Read a profile from a file. Raises DataError if it is missing or is no profile."""
        data = read_file(Path(path), limit=_LARGEST, error=DataError)
        return Profile.from_bytes(data, where=str(path))

    @staticmethod
    def merge(profiles: Sequence[Profile]) -> Profile:
        """The profile of all samples together: the same, to the byte, however these were split and ordered.

        Raises:
            DataError: nothing to merge, or the profiles are of different models or tensors.
        """
        if not profiles:
            raise DataError("no profile to merge")
        first, *others = profiles
        histograms, channels = dict(first), dict(first.channels)
        for index, other in enumerate(others, start=2):
            if other.model != first.model or list(other) != list(first) or list(other.channels) != list(channels):
                difference = "another model" if other.model != first.model else "other tensors of the model"
                raise DataError(
                    f"profile {index} is of {difference} than profile 1 ({other.model[:12]} and {first.model[:12]})",
                    remedy="merge only profiles that the same model file gave with the same options",
                )
            try:
                histograms = {name: histograms[name].merge(histogram) for name, histogram in other.items()}
            except ValueError as error:
                raise DataError(f"profile {index} cannot be added: {error}", remedy="merge fewer profiles") from error
            for name, statistics in other.channels.items():
                channels[name] = channels[name].merge(statistics)
        return Profile(first.model, sum(profile.samples for profile in profiles), histograms, channels)


def _names(header: Mapping[str, Any], key: str) -> list[str]:
    names = [_text(name) for name in header[key]]
    if len(set(names)) != len(names):
        raise ValueError(f"a name in {key} is listed twice")
    return names


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise ValueError(f"{value!r} is no number of samples")
    return value


def _split(arrays: Mapping[str, NDArray[np.generic]]) -> list[Histogram]:
    lengths = _lengths(arrays, "lengths")
    buckets, counts = _parts(arrays, "buckets", np.uint16, lengths), _parts(arrays, "counts", np.uint64, lengths)
    extremes = _split_extremes(arrays) if "runs" in arrays else _as_of_one_run(arrays)
    histograms = [Histogram(*row) for row in zip(buckets, counts, extremes, strict=True)]
    for histogram in histograms:
        histogram.check()
    return histograms


def _split_extremes(arrays: Mapping[str, NDArray[np.generic]]) -> list[RunExtremes]:
    runs = arrays["runs"].astype(np.uint64, casting="equiv")
    kept = np.minimum(runs, KEPT).astype(np.uint32)
    lowest, highest = (_parts(arrays, name, np.float32, kept) for name in ("lowest", "highest"))
    return [RunExtremes(*row) for row in zip(runs.tolist(), lowest, highest, strict=True)]


def _as_of_one_run(arrays: Mapping[str, NDArray[np.generic]]) -> list[RunExtremes]:
    """The extremes of a profile that tells of no runs, which tell nothing of tails."""
    ends = (arrays[name].astype(np.float32, casting="equiv")[:, None] for name in ("minimum", "maximum"))
    return [RunExtremes.of(low, high) if np.isfinite(low) else RunExtremes() for low, high in zip(*ends, strict=True)]


def _split_channels(arrays: Mapping[str, NDArray[np.generic]]) -> list[ChannelStatistics]:
    lengths = _lengths(arrays, "channel_lengths")
    sums = _parts(arrays, "channel_sums", np.int64, lengths)
    extremes = (_parts(arrays, name, np.float32, lengths) for name in ("channel_minimum", "channel_maximum"))
    counts = arrays["channel_counts"].astype(np.uint64, casting="equiv").tolist()
    channels = [ChannelStatistics(*parts) for parts in zip(counts, sums, *extremes, strict=True)]
    for statistics in channels:
        statistics.check()
    return channels


def _lengths(arrays: Mapping[str, NDArray[np.generic]], name: str) -> NDArray[np.uint32]:
    return arrays[name].astype(np.uint32, casting="equiv")


def _parts(
    arrays: Mapping[str, NDArray[np.generic]], name: str, dtype: type[np.generic], lengths: NDArray[np.uint32]
) -> list[NDArray[Any]]:
    """The parts of an array, so many rows each."""
    array = arrays[name].astype(dtype, casting="equiv")
    if lengths.ndim != 1 or lengths.sum(dtype=np.uint64) != len(array):
        raise ValueError(f"{name} has {len(array)} rows, not {lengths.sum(dtype=np.uint64)}")
    return np.split(array, np.cumsum(lengths.astype(np.int64)))[:-1]


def _zip(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """An .npz with fixed time stamps and attributes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, content.getvalue())
    return file.getvalue()
