"""The noise that each layer brings to the parts of a network's output, as predicted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from quantune_mlir.numerics.metrics import Signal
from quantune_mlir.planning.noise_model import Powers
from quantune_mlir.planning.sensitivity import RoundedTensor


@dataclass(frozen=True)
class NoiseBudget:
    """Predicted noise-to-signal powers at the parts of the network's output.

    Attributes:
        parts: the layers that make them.
        own: what each deciding layer takes away by being fp32, whatever the others are: the error of its weights and,
            where no other layer reads its input, that of its input's rounding.
        rounded: what the rounding of the other tensors brings.
        alone: what each deciding layer adds if it alone is int8.
        halved_at: at each part, the sum of noise of which half comes out; None where it adds up.
        signal: what noise is compared with, where that is the same at all parts.
        signal_share: its energy over that of the outputs, at most 1.
    """

    parts: tuple[str, ...]
    own: dict[str, Powers]
    rounded: tuple[RoundedTensor, ...]
    alone: dict[str, Powers]
    halved_at: tuple[float | None, ...] = ()
    signal: Signal = "output"
    signal_share: float = 1.0

    @property
    def rounding(self) -> float:
        """The noise that the rounding of tensors that several layers read brings, all int8, at the worst part."""
        return float(np.sum([tensor.noise for tensor in self.rounded], axis=0).max()) if self.rounded else 0.0

    @property
    def total(self) -> Powers:
        """The noise with every layer int8."""
        return np.sum([*self.own.values(), *(np.array(tensor.noise) for tensor in self.rounded)], axis=0)

    def times(self, factor: Powers | float) -> NoiseBudget:
        """The same with all noise but that of layers alone so many times as large."""
        own = {name: noise * factor for name, noise in self.own.items()}
        return replace(self, own=own, rounded=tuple(_times(tensor, factor) for tensor in self.rounded))


def _times(tensor: RoundedTensor, factor: Powers | float) -> RoundedTensor:
    fields = {"noise": tensor.noise, "apart": tensor.apart}
    update = {name: tuple((np.asarray(powers) * factor).tolist()) for name, powers in fields.items() if powers}
    return tensor.model_copy(update=update)
