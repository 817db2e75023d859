"""Histogram by bit pattern: the bucket of a float32 is the upper 16 bits of its encoding.

Sign, exponent and 7 mantissa bits give 65,536 buckets whose width is below 1 % of their value. No range has to be
known in advance, memory is fixed, and two histograms merge exactly by adding their counts, so the samples may be split
and ordered in any way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantune_mlir.errors import DataError
from quantune_mlir.numerics.run_extremes import RunExtremes

BUCKETS: Final = 1 << 16
MOST: Final = 1 << 62
"""Elements that are counted in all."""
_SIGN: Final = 0x8000
_EXPONENT: Final = 0x7F80
_SMALLEST_NORMAL: Final = 2.0**-126

_PATTERNS = np.arange(BUCKETS, dtype=np.uint32)
_IS_FINITE = (_PATTERNS & _EXPONENT) != _EXPONENT
_RANK = np.where(_PATTERNS & _SIGN, 0xFFFF - _PATTERNS, _SIGN + _PATTERNS)
_BY_VALUE = np.argsort(_RANK)


def _magnitude_edges() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest magnitude of each bucket, and the smallest one of the next: float64[65536] each.

    The buckets of +0 and -0, which also hold the subnormals below 1e-40, count as exactly zero.
    """
    magnitude = _PATTERNS & (_SIGN - 1)
    patterns = np.minimum(magnitude, _EXPONENT) << 16
    inner = patterns.view(np.float32).astype(np.float64)
    outer = np.append(inner[1:], np.inf)
    outer[magnitude == _SIGN - 1] = np.inf
    largest = float(np.finfo(np.float32).max)
    inner, outer = np.minimum(inner, largest), np.minimum(outer, largest)
    outer[magnitude == 0] = 0.0
    return inner, outer


_INNER, _OUTER = _magnitude_edges()


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of a tensor's values by bit pattern, with the exact extremes of runs.

    Only occupied buckets are kept (some tens of KB for a typical tensor), in ascending order of value.

    The extremes are those of all elements, also where only some were counted.

    Attributes:
        buckets: uint16[k], upper halves of the float32 patterns, ascending by real value.
        counts: uint64[k], how many of the counted elements fell into each bucket.
        extremes: of the runs that made it. Where there are NaN or Inf, the outer bounds of the outermost buckets.
        nonfinite: number of NaN and Inf elements, which are in no bucket.
    """

    buckets: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, np.uint16))
    counts: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    extremes: RunExtremes = field(default_factory=RunExtremes)
    nonfinite: int = 0

    @staticmethod
    def of(array: ArrayLike) -> Histogram:
        """The histogram of all elements of a float32 array, as of one run."""
        values = np.ascontiguousarray(array)
        if values.dtype != np.float32:
            raise TypeError(f"a histogram is taken of float32 values, not {values.dtype}")
        patterns = values.reshape(-1).view(np.uint32) >> np.uint32(16)
        counts = np.bincount(patterns, minlength=BUCKETS)
        flat = values.reshape(1, -1)
        extremes = RunExtremes.of(flat.min(axis=1), flat.max(axis=1)) if values.size else RunExtremes()
        occupied = np.flatnonzero(counts)
        return Histogram.from_counts(occupied, counts[occupied], extremes)

    @staticmethod
    def from_counts(occupied: NDArray[np.integer], counts: NDArray[np.integer], extremes: RunExtremes) -> Histogram:
        """From the counters of the occupied buckets, as an observer kernel leaves them.

        Args:
            occupied: integer[k], upper 16 bits of the patterns, ascending, those of NaN and Inf included.
            counts: integer[k], how many elements fell into each of these buckets.
            extremes: of the runs; ignored where there are NaN or Inf or no elements at all.

        Raises:
            ValueError: the shapes differ, or the extremes lie within the outermost occupied buckets.
        """
        if occupied.ndim != 1 or occupied.shape != counts.shape:
            raise ValueError(f"{list(occupied.shape)} buckets with {list(counts.shape)} counts")
        positives = int(np.searchsorted(occupied, _SIGN))
        buckets, counts = (np.concatenate([a[positives:][::-1], a[:positives]]) for a in (occupied, counts))
        is_finite = _IS_FINITE[buckets]
        nonfinite = int(counts[~is_finite].sum(dtype=np.uint64))
        buckets, counts = buckets[is_finite].astype(np.uint16), counts[is_finite].astype(np.uint64)
        if not len(buckets):
            return Histogram(nonfinite=nonfinite)
        ends = (("minimum", extremes.minimum, buckets[0], 1), ("maximum", extremes.maximum, buckets[-1], -1))
        for name, extreme, bucket, sign in ends:
            innermost = max(sign * bound for bound in _bounds(bucket)) + _SMALLEST_NORMAL
            if not nonfinite and not sign * extreme <= innermost:
                raise ValueError(f"{name} {extreme!r} is within the outermost occupied bucket {_bounds(bucket)}")
        if nonfinite:
            outermost = np.array([_bounds(buckets[0])[0], _bounds(buckets[-1])[1]], np.float32)
            extremes = RunExtremes.of(outermost[:1], outermost[1:])
        return Histogram(buckets, counts, extremes, nonfinite)

    def check(self) -> None:
        """Raise ValueError if no elements can have given this histogram, or more than can be counted."""
        if self.buckets.ndim != 1 or self.buckets.shape != self.counts.shape:
            raise ValueError(f"{list(self.buckets.shape)} buckets with {list(self.counts.shape)} counts")
        if not _IS_FINITE[self.buckets].all() or (np.diff(_RANK[self.buckets].astype(np.int64)) <= 0).any():
            raise ValueError("its buckets are not in ascending order, or hold NaN or Inf")
        if (self.counts == 0).any() or self.counts.astype(np.float64).sum() > MOST:
            raise ValueError("a bucket is empty, or there are more counts than numbers can hold")
        self.extremes.check()
        if not len(self.buckets):
            if self.extremes.runs:
                raise ValueError("it has extremes, but no buckets")
            return
        if not self.minimum <= self.maximum:
            raise ValueError(f"its extremes are {self.minimum} and {self.maximum}")
        low, high = _bounds(self.buckets[0])[1], _bounds(self.buckets[-1])[0]
        if self.minimum > low + _SMALLEST_NORMAL or self.maximum < high - _SMALLEST_NORMAL:
            raise ValueError(f"its extremes {self.minimum} and {self.maximum} lie within its buckets")

    def merge(self, other: Histogram) -> Histogram:
        """The histogram of both sets of elements, of one tensor in different runs: exact, associative and commutative.

        Raises:
            ValueError: there are more than can be counted.
        """
        if self.count + other.count > MOST:
            raise ValueError(f"{self.count + other.count} elements are more than can be counted")
        buckets = np.concatenate([self.buckets, other.buckets])
        counts = np.concatenate([self.counts, other.counts])
        rank, position = np.unique(_RANK[buckets], return_inverse=True)
        merged = np.zeros(len(rank), np.uint64)
        np.add.at(merged, position, counts)
        return Histogram(
            _BY_VALUE[rank].astype(np.uint16),
            merged,
            self.extremes.merge(other.extremes),
            self.nonfinite + other.nonfinite,
        )

    def join(self, other: Histogram) -> Histogram:
        """The histogram of the elements of two tensors, seen in the same runs. Raises as `merge` does."""
        return replace(self.merge(other), extremes=self.extremes.join(other.extremes))

    def with_extremes(self) -> Histogram:
        """The same, the extremes counted once where they lie outside all buckets, for no such element was counted."""
        ends = ((self.buckets[0], self.minimum), (self.buckets[-1], self.maximum)) if len(self.buckets) else ()
        missing = [value for bucket, value in ends if not _holds(bucket, value)]
        if not missing:
            return self
        return replace(self.merge(Histogram.of(np.array(missing, np.float32))), extremes=self.extremes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return (
            np.array_equal(self.buckets, other.buckets)
            and np.array_equal(self.counts, other.counts)
            and (self.extremes, self.nonfinite) == (other.extremes, other.nonfinite)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def minimum(self) -> float:
        """Smallest finite element, exactly a float32; +inf if there is none."""
        return self.extremes.minimum

    @property
    def maximum(self) -> float:
        """Largest finite element; -inf if there is none."""
        return self.extremes.maximum

    @cached_property
    def count(self) -> int:
        """Number of counted elements, NaN and Inf included."""
        return int(self.counts.sum(dtype=np.uint64)) + self.nonfinite

    @property
    def lower(self) -> NDArray[np.float64]:
        """Lower bound of each occupied bucket, clipped to [minimum, maximum]; ascending."""
        return self._clipped(np.where(self.buckets & _SIGN, -_OUTER[self.buckets], _INNER[self.buckets]))

    @property
    def upper(self) -> NDArray[np.float64]:
        """Upper bound of each occupied bucket, clipped to [minimum, maximum]; ascending."""
        return self._clipped(np.where(self.buckets & _SIGN, -_INNER[self.buckets], _OUTER[self.buckets]))

    @property
    def centers(self) -> NDArray[np.float64]:
        """Middle of each occupied bucket; ascending. The zero buckets are exactly 0."""
        return (self.lower + self.upper) / 2

    def items(self) -> Iterator[tuple[float, int]]:
        """(middle of the bucket, count), ascending by value."""
        return zip(self.centers.tolist(), self.counts.tolist(), strict=True)

    def dense(self) -> NDArray[np.uint64]:
        """uint64[65536] counts indexed by bit pattern, without NaN and Inf."""
        counts = np.zeros(BUCKETS, np.uint64)
        counts[self.buckets] = self.counts
        return counts

    def require_finite(self, tensor: str) -> None:
        """Raise a DataError naming `tensor` if NaN or Inf were seen."""
        if self.nonfinite:
            raise DataError(
                f"{self.nonfinite} of {self.count} values are NaN or Inf",
                where=f"tensor {tensor}",
                remedy="check the model's weights and the calibration samples for NaN, Inf or very large values",
            )

    def _clipped(self, bounds: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(bounds, self.minimum, self.maximum) + 0.0 if len(bounds) else bounds


def _bounds(bucket: np.uint16) -> tuple[float, float]:
    inner, outer = float(_INNER[bucket]), float(_OUTER[bucket])
    return (-outer, -inner) if bucket & _SIGN else (inner, outer)


def _holds(bucket: np.uint16, value: float) -> bool:
    """Whether the value lies in the bucket, or is the zero to which a device may flush the bucket's subnormals."""
    low, high = _bounds(bucket)
    return low - _SMALLEST_NORMAL <= value <= high + _SMALLEST_NORMAL
