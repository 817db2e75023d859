"""What noise a plan is predicted to have at each part of the network's output.

A layer in int8 brings noise of its own: the error of its weights, and of rounding what nobody else reads in int8. A
tensor that several layers read brings the noise of its rounding for those that read it rounded. If the layer that makes
it is int8 and any reader is, it is stored in int8, and all of them do; else only the int8 readers do. (The result of a
table is int8 in any case: its rounding is part of the layer's own noise.) Between fp32 layers nothing is rounded, and
there is no noise. Noise of different origin is uncorrelated, so that energies add:

    noise(plan) = constant + sum over int8 layers of theirs + sum over tensors of theirs x the share read rounded.

Each is a noise-to-signal power at a part of the output, beside the signal of that part. The noise of a plan is that of
its worst part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        tensors: what the rounding of tensors brings that several layers read.
        constant: what remains under any plan.
    """

    parts: tuple[str, ...]
    layers: Mapping[str, Powers]
    tensors: Sequence[RoundedTensor] = ()
    constant: ArrayLike = 0.0

    @staticmethod
    def of(sensitivity: SensitivityList) -> NoiseModel:
        """The model that a sensitivity list holds."""
        rounding = sensitivity.rounding_normalized_mse or 0.0
        if not sensitivity.parts:
            return NoiseModel.additive(sensitivity.layers, rounding)
        layers = {layer.name: _known(layer.own_noise) for layer in sensitivity.layers if layer.own_noise}
        return NoiseModel(sensitivity.parts, layers, sensitivity.rounded)

    @staticmethod
    def additive(layers: Iterable[LayerSensitivity], constant: float = 0.0) -> NoiseModel:
        """One part; each layer brings its output normalized MSE."""
        noise = {layer.name: _known((layer.noise,)) for layer in layers}
        return NoiseModel(("output",), noise, constant=constant)

    def noise(self, int8: Iterable[str]) -> Powers:
        """At each part, with these layers in int8 and all others in fp32."""
        return NoiseLedger(self, int8).parts

    def sqnr_db(self, int8: Iterable[str]) -> float:
        """The SQNR of the worst part, with these layers in int8 and all others in fp32; +inf without noise."""
        return decibels(NoiseLedger(self, int8).worst)

    def brought_by(self, name: str) -> Powers:
        """What a layer brings in int8, with its share in the rounding of what others read as well."""
        noise = np.asarray(self.layers.get(name, np.zeros(len(self.parts))))
        for tensor in self.read_by.get(name, ()):
            noise = noise + tensor.readers.get(name, 0.0) * _known(tensor.noise)
        return noise

    def weight(self, name: str) -> float:
        """The same at the worst part."""
        return float(self.brought_by(name).max(initial=0.0))

    @cached_property
    def read_by(self) -> dict[str, list[RoundedTensor]]:
        """By layer, the tensors whose rounding depends on its precision."""
        found: dict[str, list[RoundedTensor]] = {}
        for tensor in self.tensors:
            names = [*tensor.readers] if tensor.maker is None else [tensor.maker, *tensor.readers]
            for name in dict.fromkeys(names):
                found.setdefault(name, []).append(tensor)
        return found


class NoiseLedger:
    """The noise of a network while layers move from int8 to fp32, one by one.

    It is summed up in integers, in units of 2**-80, so that it is the same on whatever way a plan is come by.
    """

    def __init__(self, model: NoiseModel, int8: Iterable[str]) -> None:
        """Start with these layers in int8 and all others in fp32."""
        self._model = model
        self._int8 = set(int8)
        self._noise = [0] * len(model.parts)
        for name in self._int8:
            self._add(model.layers.get(name), 1)
        for tensor in model.tensors:
            self._add(self._rounding(tensor), 1)

    @property
    def parts(self) -> Powers:
        """At each part of the output."""
        return np.asarray(np.array([noise / _UNITS for noise in self._noise]) + self._model.constant, np.float64)

    @property
    def worst(self) -> float:
        """At the worst part."""
        return float(self.parts.max(initial=0.0))

    def worst_without(self, name: str) -> float:
        """What would be at the worst part if a layer moved to fp32."""
        noise, int8 = list(self._noise), set(self._int8)
        self.to_fp32(name)
        worst = self.worst
        self._noise, self._int8 = noise, int8
        return worst

    def to_fp32(self, name: str) -> None:
        """Move a layer to fp32; nothing happens if it is there."""
        if name not in self._int8:
            return
        tensors = self._model.read_by.get(name, ())
        for tensor in tensors:
            self._add(self._rounding(tensor), -1)
        self._int8.remove(name)
        for tensor in tensors:
            self._add(self._rounding(tensor), 1)
        self._add(self._model.layers.get(name), -1)

    def _add(self, noise: Powers | None, sign: int) -> None:
        if noise is not None:
            self._noise = [
                old + sign * round(new * _UNITS) for old, new in zip(self._noise, noise.tolist(), strict=True)
            ]

    def _rounding(self, tensor: RoundedTensor) -> Powers:
        share = sum(share for reader, share in tensor.readers.items() if reader in self._int8)
        if tensor.maker in self._int8:
            share = 0.0 if tensor.counted or not share else 1.0
        return share * _known(tensor.noise)


def _known(noise: Sequence[float]) -> Powers:
    return np.minimum(np.nan_to_num(np.asarray(noise, np.float64), nan=WORST, posinf=WORST), WORST)
