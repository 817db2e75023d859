"""The parts of a network's outputs, and the noise of each beside its own signal.

Outputs are not one vector: boxes of hundreds stand beside probabilities below one. So each part is judged by itself,
and within a part channels of one order of magnitude are. What a part and a group of channels are is told in
docs/definitions.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.metrics import ErrorEnergy, Signal

Array = NDArray[np.generic]
T = TypeVar("T", bound=np.generic)
Reading = Literal["values", "probabilities", "log probabilities", "classes", "ranked"]
"""What the numbers of a part are: probabilities are those of a softmax; classes are alike or not, never near; what is
ranked stands in the order of a top k, and no noise is too little to change that."""

LEAST_DB: Final = 20.0
"""Below it, int8 changes what a network decides."""
STANDARD_ERRORS: Final = 2.0
"""By so many of them the noise of other samples hardly exceeds what was measured."""
LEAST_SHARE: Final = 1 / 16
"""So many of a part's channels must be at least as quiet as a group for that to be judged by itself."""
_TINY: Final = 1e-30


@dataclass(frozen=True)
class AxisRange:
    """Indices `start` to `stop` - 1 of an axis."""

    axis: int
    start: int
    stop: int


@dataclass(frozen=True)
class Part:
    """A part of an output, in the model's own layout.

    Attributes:
        output: which of the outputs.
        output_name: its name.
        shape: of the whole output.
        ranges: what of it, by ascending axes; along other axes all.
        channels: axis along which the channels lie that may be of different scales; None: all are of one.
        reading: what its numbers are.
        scores: axis along which a softmax or log softmax was taken; None if none was.
        resembles_input: whether the part may be the network's input again, but for a small difference.
    """

    output: int
    output_name: str
    shape: tuple[int, ...]
    ranges: tuple[AxisRange, ...] = ()
    channels: int | None = None
    reading: Reading = "values"
    scores: int | None = None
    resembles_input: bool = False

    @property
    def name(self) -> str:
        """As NumPy would write it: `output`, `output[:, 0:4]`."""
        if not self.ranges:
            return self.output_name
        bounds = {part.axis: f"{part.start}:{part.stop}" for part in self.ranges}
        return f"{self.output_name}[{', '.join(bounds.get(axis, ':') for axis in range(max(bounds) + 1))}]"

    @property
    def is_judged(self) -> bool:
        """Whether its noise tells of the plan."""
        return self.reading != "ranked"

    @property
    def channel_count(self) -> int:
        """How many channels may be of different scales."""
        if self.channels is None:
            return 1
        bounds = (part for part in self.ranges if part.axis == self.channels)
        return next((part.stop - part.start for part in bounds), self.shape[self.channels])

    def of(self, output: NDArray[T]) -> NDArray[T]:
        """The part of an array that is, or has as many elements as, the output."""
        bounds = {part.axis: slice(part.start, part.stop) for part in self.ranges}
        return output.reshape(self.shape)[tuple(bounds.get(axis, slice(None)) for axis in range(len(self.shape)))]


@dataclass(frozen=True)
class PartNoise:
    """The noise of a part.

    Attributes:
        part: which.
        worst: energies of its worst group of channels; of all its elements if it has one group.
        whole: energies of all its elements.
        signal: what noise is compared with.
        spread: standard error of noise over signal, of the worst group, over itself; None where runs were not told
            apart, or there was one only.
    """

    part: Part
    worst: ErrorEnergy
    whole: ErrorEnergy
    signal: Signal = "output"
    spread: float | None = None

    @property
    def sqnr_db(self) -> float:
        """SQNR of the worst group in dB: +inf without noise, -inf for noise without a signal; never NaN."""
        return _sqnr(self.worst)

    @property
    def whole_sqnr_db(self) -> float:
        """The same of all elements, as if they were one group."""
        return _sqnr(self.whole)

    @property
    def silent(self) -> bool:
        """Whether fp32 gave nothing but zeros, and the candidate did so too: that is no judgement."""
        return self.whole.signal == 0 and self.whole.noise == 0

    @property
    def normalized_mse(self) -> float:
        """Noise over signal of the worst group: 0 without noise, inf for noise without a signal."""
        return 0.0 if self.worst.noise == 0 else self.worst.noise / self.worst.signal if self.worst.signal else math.inf

    @property
    def likely_mse(self) -> float:
        """Noise over signal that as many other samples hardly exceed."""
        return self.normalized_mse * (1 + STANDARD_ERRORS * (self.spread or 0.0))


def worst_db(noises: Iterable[PartNoise]) -> float:
    """The SQNR in dB of the worst part of those that are judged; NaN if none is."""
    return min((noise.sqnr_db for noise in noises if noise.part.is_judged), default=math.nan)


class PartMeter:
    """Sums up, sample by sample, what one candidate's outputs differ by from fp32's."""

    def __init__(self, parts: Sequence[Part], *, spread: bool = False) -> None:
        """`spread`: whether to find out how the noise is spread over runs, which takes memory for each."""
        self._sums = [_Sums(part, spread=spread) for part in parts]

    def add(self, references: Sequence[Array], candidates: Sequence[Array], argument: Array | None = None) -> None:
        """One run.

        Args:
            references: all outputs of fp32.
            candidates: those of the candidate.
            argument: the network's input, where there is one; parts that resemble it are compared with it.
        """
        for sums in self._sums:
            index = sums.part.output
            sums.add(references[index], candidates[index], argument)

    def noise(self) -> list[PartNoise]:
        """What was found, in the order of the parts."""
        return [sums.noise() for sums in self._sums]


class _Sums:
    """Energies by channel of one part, in double precision: of fp32, of what it is beside the input, of the noise."""

    def __init__(self, part: Part, *, spread: bool) -> None:
        self.part = part
        self._runs: list[NDArray[np.float64]] | None = [] if spread else None
        self._energies = np.zeros((3, 1))
        self._elements = 0

    def add(self, reference: Array, candidate: Array, argument: Array | None) -> None:
        if self.part.reading == "classes" or (self.part.reading == "ranked" and reference.dtype.kind != "f"):
            x, y = self.part.of(reference), self.part.of(candidate)
            self._add(np.ones(x.shape), (x != y).astype(np.float64))
            return
        x, error = _finite_error(self._read(reference), self._read(candidate))
        alike = argument if self.part.resembles_input else None
        self._add(x, error, None if alike is None else x - self.part.of(alike.astype(np.float64)))

    def noise(self) -> PartNoise:
        signal: Signal = "output" if self.part.scores is None else "output - mean"
        of, (all_of_it, residual, noise) = 0, self._energies
        if 0 < residual.sum() < all_of_it.sum():
            signal, of = "output - input", 1
        energies = self._energies[of]
        whole = ErrorEnergy(float(energies.sum()), float(noise.sum()), float(self._elements))
        group = _worst_channels(channel_groups(all_of_it), energies, noise)
        worst = _of_group(group, energies, noise, self._elements)
        runs = np.array([(run[of, group].sum(), run[2, group].sum()) for run in self._runs or ()])
        return PartNoise(self.part, worst, whole, signal, relative_error(*runs.T) if len(runs) > 1 else None)

    def _add(
        self, signal: NDArray[np.float64], error: NDArray[np.float64], residual: NDArray[np.float64] | None = None
    ) -> None:
        different = np.zeros_like(signal) if residual is None else residual
        run = np.array([self._by_channel(values) for values in (signal, different, error)])
        self._energies = self._energies + run
        self._elements += signal.size
        if self._runs is not None:
            self._runs.append(run)

    def _read(self, output: Array) -> NDArray[np.float64]:
        values = output.astype(np.float64)
        if self.part.scores is not None:
            if self.part.reading == "probabilities":
                values = np.log(np.maximum(values, _TINY))
            values = values - values.mean(axis=self.part.scores, keepdims=True)
        return self.part.of(values)

    def _by_channel(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ values², of each channel."""
        axis = self.part.channels
        rows = values.reshape(1, -1) if axis is None else np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
        return np.einsum("ci,ci->c", rows, rows)


def worst_group(signal: NDArray[np.float64], noise: NDArray[np.float64], elements: float) -> ErrorEnergy:
    """The energies of the group of channels with the least SQNR.

    Args:
        signal: (channels,), energies.
        noise: (channels,), energies.
        elements: of all channels, which have as many each.
    """
    return _of_group(_worst_channels(channel_groups(signal), signal, noise), signal, noise, elements)


def _worst_channels(
    groups: Sequence[NDArray[np.intp]], signal: NDArray[np.float64], noise: NDArray[np.float64]
) -> NDArray[np.intp]:
    return min(groups, key=lambda group: _sqnr(_of_group(group, signal, noise, len(signal))))


def _of_group(
    group: NDArray[np.intp], signal: NDArray[np.float64], noise: NDArray[np.float64], elements: float
) -> ErrorEnergy:
    count = elements * len(group) / len(signal)
    return ErrorEnergy(float(signal[group].sum()), float(noise[group].sum()), count)


def relative_error(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> float | None:
    """The standard error of Σ noise / Σ signal, beside that: of a ratio of sums over independent runs.

    With r the ratio and d = noise - r signal of each of n runs, √(n / (n - 1) Σ d²) / Σ noise (Cochran, Sampling
    Techniques, 6.4). None without noise, without a signal, or if they are not known.

    Args:
        signal: (runs,), energies.
        noise: (runs,), energies.
    """
    if not (0 < noise.sum() < math.inf and 0 < signal.sum() < math.inf):
        return None
    apart = noise - signal * (noise.sum() / signal.sum())
    return float(np.sqrt(len(noise) / (len(noise) - 1) * np.sum(apart**2)) / noise.sum())


def channel_groups(signal: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """The groups of channels that are judged together, each the indices of its members.

    With S the energy of a channel and S₀ that of the loudest, a channel is in group floor(½ log10(S₀ / S)), that of its
    order of magnitude. The quietest of less than LEAST_SHARE of the channels join the next louder group; what is louder
    than a group that counts does count. Channels without a signal are of the quietest group.
    """
    if signal.sum() == 0 or len(signal) == 1:
        return [np.arange(len(signal))]
    with np.errstate(divide="ignore"):
        decades = np.floor(0.5 * np.log10(signal.max() / signal))
    groups: list[NDArray[np.intp]] = []
    gathered = np.flatnonzero(signal == 0)
    audible = 0
    for decade in sorted({*decades[signal > 0]}, reverse=True):
        members = np.flatnonzero(decades == decade)
        gathered = np.concatenate([gathered, members])
        audible += len(members)
        if groups or audible >= LEAST_SHARE * len(signal) or decade == 0:
            groups.append(gathered)
            gathered, audible = gathered[:0], 0
    return groups


def _sqnr(energy: ErrorEnergy) -> float:
    if energy.noise == 0:
        return math.inf
    return -math.inf if energy.sqnr_db is None else energy.sqnr_db


def _finite_error(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x without what is not finite in it, and y - x: infinite where only one of the two is finite."""
    with np.errstate(invalid="ignore"):
        error = y - x
    if not np.isfinite(error).all():
        alike = (x == y) | (np.isnan(x) & np.isnan(y))
        error = np.where(alike, 0.0, np.where(np.isfinite(error), error, np.inf))
        x = np.where(np.isfinite(x), x, 0.0)
    return x, error
