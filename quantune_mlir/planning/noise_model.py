"""What noise a plan is predicted to have at each part of the network's output.

A layer in int8 brings noise of its own: the error of its weights, and of rounding what nobody else reads in int8. In
another integer format it brings as much more or less as the squares of its steps are larger or smaller: 4 times for
each bit, of the weights' error that of the weights' codes, of the rest that of the activations'. A
tensor that several layers read brings the noise of its rounding for those that read it rounded. If the layer that makes
it is int8 and any reader is, it is stored in int8, and all of them do; else only the int8 readers do. (The result of a
table is int8 in any case: its rounding is part of the layer's own noise; that of a function which is a table only if
what makes its argument is int8 too, and else computed in fp32, is not.) Between fp32 layers nothing is rounded, and
there is no noise. Noise of different origin is uncorrelated, so that energies add:

    noise(plan) = constant + sum over int8 layers of theirs + sum over tensors of theirs, as they are read.

What is rounded once and read by several layers is not: through two of them the same error may add up, or cancel. Let
k be what a tensor brings through one reader alone, and w through all together. Amplitudes of any two readers are taken
to be alike in what they have in common, so that of readers S

    noise(S) = sum of k + (w - sum of all k) x pairs(S) / pairs(all),    pairs = (sum of sqrt k)^2 - sum of k.

Each is a noise-to-signal power at a part of the output, beside the signal of that part. The noise of a plan is that of
its worst part.

Noise as large as the signal adds up no longer: layers pass on less of an error that has made their inputs unlike what
they were. So of a sum p there comes out, with h the sum of which half does,

    p / (1 + sqrt(p / h)).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantune_mlir.numerics.formats import FP32, INT8, IntegerRange, NumberFormat
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.planning.sensitivity import LayerSensitivity, RoundedTensor, SensitivityList

Powers = NDArray[np.float64]
"""Noise-to-signal powers, one for each part of the output."""

WORST: Final = 1e6
"""What noise is taken for that is not known: -60 dB."""

_UNITS: Final = 2.0**80


@dataclass(frozen=True)
class NoiseModel:
    """Noise-to-signal powers at each part of the output.

    Attributes:
        parts: names of the parts.
        layers: what each layer in int8 brings of its own; others bring none.
        weights: of that the share that the error of the weights has; 0 of a layer that is not listed.
        halved_at: h at each part; None: all that adds up comes out.
        tensors: what the rounding of tensors brings that several layers read.
        constant: what remains under any plan.
    """

    parts: tuple[str, ...]
    layers: Mapping[str, Powers]
    tensors: Sequence[RoundedTensor] = ()
    constant: ArrayLike = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    halved_at: Powers | None = None

    @staticmethod
    def of(sensitivity: SensitivityList) -> NoiseModel:
        """The model that a sensitivity list holds."""
        rounding = sensitivity.rounding_normalized_mse or 0.0
        if not sensitivity.parts:
            return NoiseModel.additive(sensitivity.layers, rounding)
        layers = {layer.name: _known(layer.own_noise) for layer in sensitivity.layers if layer.own_noise}
        halved_at = np.array([math.inf if at is None else at for at in sensitivity.halved_at])
        return NoiseModel(
            sensitivity.parts,
            layers,
            sensitivity.rounded,
            weights=_weight_shares(sensitivity.layers),
            halved_at=halved_at if np.isfinite(halved_at).any() else None,
        )

    @staticmethod
    def additive(layers: Iterable[LayerSensitivity], constant: float = 0.0) -> NoiseModel:
        """One part; each layer brings its output normalized MSE."""
        layers = list(layers)
        noise = {layer.name: _known((layer.noise,)) for layer in layers}
        return NoiseModel(("output",), noise, constant=constant, weights=_weight_shares(layers))

    def noise(self, formats: Mapping[str, NumberFormat]) -> Powers:
        """At each part, with layers in these formats and all others in fp32."""
        return NoiseLedger(self, formats).parts

    def sqnr_db(self, int8: Iterable[str]) -> float:
        """The SQNR of the worst part, with these layers in int8 and all others in fp32; +inf without noise."""
        return decibels(NoiseLedger(self, dict.fromkeys(int8, INT8)).worst)

    def comes_out(self, added_up: Powers) -> Powers:
        """What there is at each part of noise that adds up to so much."""
        return added_up if self.halved_at is None else added_up / (1 + np.sqrt(added_up / self.halved_at))

    def adds_up(self, noise: Powers) -> Powers:
        """What must have added up for so much to come out at each part."""
        if self.halved_at is None:
            return noise
        beside = noise / np.sqrt(self.halved_at)
        return ((beside + np.sqrt(beside**2 + 4 * noise)) / 2) ** 2

    def scaled_to(self, formats: Mapping[str, NumberFormat], factors: Powers) -> NoiseModel:
        """The same, but with these formats there comes out so many times as much at each part."""
        predicted = self.noise(formats)
        before = self.adds_up(predicted)
        return self.scaled(
            np.divide(self.adds_up(factors * predicted), before, out=np.ones_like(before), where=before > 0)
        )

    def scaled(self, factors: Powers) -> NoiseModel:
        """The same with so many times the noise that adds up at each part."""
        layers = {name: np.asarray(factors * noise) for name, noise in self.layers.items()}
        tensors = [
            tensor.model_copy(
                update={
                    name: tuple((factors * noise).tolist())
                    for name, noise in (("noise", tensor.noise), ("apart", tensor.apart))
                    if noise
                }
            )
            for tensor in self.tensors
        ]
        return replace(self, layers=layers, tensors=tensors, constant=factors * np.asarray(self.constant))

    def own(self, name: str, format_: NumberFormat) -> Powers | None:
        """What a layer brings of its own in a format; None if it brings nothing."""
        noise = self.layers.get(name)
        if noise is None or format_.activations is None or format_.weights is None:
            return None
        share = self.weights.get(name, 0.0)
        factor = share * _steps_squared(format_.weights) + (1 - share) * _steps_squared(format_.activations)
        return noise if format_ == INT8 else factor * noise

    def brought_by(self, name: str, format_: NumberFormat = INT8) -> Powers:
        """What a layer brings in a format, with its share in the rounding of what others read as well."""
        own = self.own(name, format_)
        noise = np.zeros(len(self.parts)) if own is None else np.asarray(own)
        if format_.activations is not None:
            steps = _steps_squared(format_.activations)
            for tensor in self.read_by.get(name, ()):
                noise = noise + steps * tensor.readers.get(name, 0.0) * _known(tensor.apart or tensor.noise)
                if tensor.argument is not None and name == tensor.maker:
                    noise = noise + steps * _known(tensor.noise)
        return noise

    def weight(self, name: str, finest: NumberFormat = FP32) -> float:
        """What a layer brings in int8 and would not in another format, at the worst part."""
        return float((self.brought_by(name) - self.brought_by(name, finest)).max(initial=0.0))

    @cached_property
    def read_by(self) -> dict[str, list[RoundedTensor]]:
        """By layer, the tensors whose rounding depends on its precision."""
        found: dict[str, list[RoundedTensor]] = {}
        for tensor in self.tensors:
            for name in dict.fromkeys((tensor.argument, tensor.maker, *tensor.readers)):
                if name is not None:
                    found.setdefault(name, []).append(tensor)
        return found

    @cached_property
    def rounding_of(self) -> dict[str, tuple[Powers, Powers]]:
        """By the layer that makes a tensor what its rounding brings, and the sum of that through each reader alone."""
        return {tensor.layer: (_known(tensor.noise), _known(tensor.apart or tensor.noise)) for tensor in self.tensors}


class NoiseLedger:
    """The noise of a network while layers move from format to format, one by one.

    It is summed up in integers, in units of 2**-80, so that it is the same on whatever way a plan is come by.
    """

    def __init__(self, model: NoiseModel, formats: Mapping[str, NumberFormat]) -> None:
        """Start with layers in these formats and all others in fp32."""
        self._model = model
        self._formats = {name: format_ for name, format_ in formats.items() if format_.is_integer}
        self._noise = [0] * len(model.parts)
        for name, format_ in self._formats.items():
            self._add(model.own(name, format_), 1)
        for tensor in model.tensors:
            self._add(self._rounding(tensor), 1)

    @property
    def parts(self) -> Powers:
        """At each part of the output."""
        added_up = np.array([noise / _UNITS for noise in self._noise]) + self._model.constant
        return self._model.comes_out(np.asarray(added_up, np.float64))

    @property
    def worst(self) -> float:
        """At the worst part."""
        return float(self.parts.max(initial=0.0))

    def worst_with(self, name: str, format_: NumberFormat) -> float:
        """What would be at the worst part if a layer moved to a format."""
        old = self._formats.get(name, FP32)
        self.move(name, format_)
        worst = self.worst
        self.move(name, old)
        return worst

    def move(self, name: str, format_: NumberFormat = FP32) -> None:
        """Move a layer to a format; nothing happens if it is there."""
        old = self._formats.get(name, FP32)
        if old == format_:
            return
        tensors = self._model.read_by.get(name, ())
        for tensor in tensors:
            self._add(self._rounding(tensor), -1)
        self._formats.pop(name, None)
        if format_.is_integer:
            self._formats[name] = format_
        for tensor in tensors:
            self._add(self._rounding(tensor), 1)
        self._add(self._model.own(name, old), -1)
        self._add(self._model.own(name, format_), 1)

    def _add(self, noise: Powers | None, sign: int) -> None:
        if noise is not None:
            self._noise = [
                old + sign * round(new * _UNITS) for old, new in zip(self._noise, noise.tolist(), strict=True)
            ]

    def _rounding(self, tensor: RoundedTensor) -> Powers | None:
        whole, apart = self._model.rounding_of[tensor.layer]
        made = tensor.maker in self._formats
        if made and tensor.argument in self._formats:
            return self._step_of(tensor.maker) * whole
        readers = {name: share for name, share in tensor.readers.items() if share and name in self._formats}
        if not readers:
            return None
        if made and tensor.argument is None:
            return None if tensor.counted else self._step_of(tensor.maker) * whole
        shares = np.array([share * self._step_of(name) for name, share in readers.items()])
        everyone = np.array(list(tensor.readers.values()))
        share = shares.sum() / everyone.sum()
        all_pairs = _pairs(everyone)
        together = _pairs(shares) / all_pairs if all_pairs > 0 else share
        return np.maximum(0.0, share * apart + together * (whole - apart))

    def _step_of(self, name: str | None) -> float:
        """The square of an integer layer's activation steps, those of int8 being 1."""
        assert name is not None
        codes = self._formats[name].activations
        assert codes is not None
        return _steps_squared(codes)


def _pairs(powers: NDArray[np.float64]) -> float:
    """Twice the sum over all pairs of the products of their amplitudes."""
    return float(np.sqrt(powers).sum() ** 2 - powers.sum())


def _steps_squared(codes: IntegerRange) -> float:
    """The square of the steps of a tensor's codes over that of 8 bits."""
    return 4.0 ** (8 - codes.bits)


def _weight_shares(layers: Iterable[LayerSensitivity]) -> dict[str, float]:
    """The share of the weights' error in what each layer with weights brings alone, as its SQNRs tell."""
    shares: dict[str, float] = {}
    for layer in layers:
        if layer.weight_sqnr_db is not None and layer.local_sqnr_db is not None:
            shares[layer.name] = min(1.0, 10 ** ((layer.local_sqnr_db - layer.weight_sqnr_db) / 10))
    return shares


def _known(noise: Sequence[float]) -> Powers:
    return np.minimum(np.nan_to_num(np.asarray(noise, np.float64), nan=WORST, posinf=WORST), WORST)
