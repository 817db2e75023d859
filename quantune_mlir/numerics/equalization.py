"""Cross-layer range equalization: channel scales that let one int8 scale per tensor fit all channels.

After Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", arXiv 1906.04721. Between
two layers, channel i may be divided by s_i > 0 in the first and multiplied by it in the second. With r1_i, the range of
the first layer's weights that make channel i, and r2_i, that of the second's that read it, the paper takes
s_i = sqrt(r1_i * r2_i) / r2_i, after which both ranges are the same. That leaves out the activation between the two,
which has one scale as well. Here its range m_i, which calibration has seen, counts as much as that of the first
weights:

    s_i = sqrt( sqrt(r1_i * m_i) / r2_i ),      then  sqrt((r1_i / s_i) * (m_i / s_i)) = r2_i * s_i.

A layer between two others changes with both, so this is repeated over all of them until nothing moves. Channels that
are dead on both sides and between them stay as they are: nothing tells where they should go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

WEIGHT_FLOOR: Final = 1e-3
"""Weights below this share of the largest range beside theirs count as this share: dead channels have no say."""

ACTIVATION_FLOOR: Final = 0.1
"""The same of activations. It is higher, so that the weights of a channel that is hardly ever active do not grow to
make up for that: all channels' weights have one scale as well."""

_SWEEPS: Final = 40
_SETTLED: Final = 1e-3


@dataclass(frozen=True)
class Magnitudes:
    """The largest absolute weights of a layer between its channels, axes as in the weights, others of size 1."""

    largest: NDArray[np.float64]
    output_axes: tuple[int, ...]
    input_axis: int

    def of_outputs(self) -> NDArray[np.float64]:
        """float64[output channels]."""
        others = tuple(axis for axis in range(self.largest.ndim) if axis not in self.output_axes)
        return self.largest.max(axis=others).reshape(-1)

    def of_inputs(self) -> NDArray[np.float64]:
        """float64[input channels]."""
        others = tuple(axis for axis in range(self.largest.ndim) if axis != self.input_axis)
        return self.largest.max(axis=others)

    def scaled_outputs(self, scales: NDArray[np.float64]) -> Magnitudes:
        """With output channel i multiplied by scales[i]."""
        return self._scaled(self.output_axes, scales)

    def scaled_inputs(self, scales: NDArray[np.float64]) -> Magnitudes:
        """With the weights of input channel i multiplied by scales[i]."""
        return self._scaled((self.input_axis,), scales)

    def _scaled(self, axes: tuple[int, ...], scales: NDArray[np.float64]) -> Magnitudes:
        shape = [size if axis in axes else 1 for axis, size in enumerate(self.largest.shape)]
        return Magnitudes(self.largest * scales.reshape(shape), self.output_axes, self.input_axis)


@dataclass(frozen=True)
class Link:
    """Layers by number: `producer` makes the channels that only `consumers` read; `activation` is m, float64[n]."""

    producer: int
    consumers: tuple[int, ...]
    activation: NDArray[np.float64]


def equalizing_scales(layers: Sequence[Magnitudes], links: Sequence[Link]) -> list[NDArray[np.float64]]:
    """s of each link, float64[channels], of geometric mean 1 over the channels that are not dead."""
    layers = list(layers)
    scales = [np.ones_like(link.activation) for link in links]
    for _ in range(_SWEEPS):
        largest_step = 0.0
        for index, link in enumerate(links):
            readers = [layers[consumer].of_inputs() for consumer in link.consumers]
            ranges = (
                (layers[link.producer].of_outputs(), WEIGHT_FLOOR),
                (link.activation / scales[index], ACTIVATION_FLOOR),
                (np.max(readers, axis=0), WEIGHT_FLOOR),
            )
            made, held, read = (_floored(values, share) for values, share in ranges)
            step = np.sqrt(np.sqrt(made * held) / read)
            alive = np.any(
                [values >= floored for (values, _), floored in zip(ranges, (made, held, read), strict=True)], 0
            )
            step = np.where(alive, step / np.exp(np.log(step[alive]).mean()) if alive.any() else 1.0, 1.0)
            scales[index] = scales[index] * step
            layers[link.producer] = layers[link.producer].scaled_outputs(1 / step)
            for consumer in link.consumers:
                layers[consumer] = layers[consumer].scaled_inputs(step)
            largest_step = max(largest_step, float(np.abs(np.log(step)).max()))
        if largest_step < _SETTLED:
            break
    return scales


def _floored(ranges: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    largest = ranges.max(initial=0.0)
    return np.maximum(ranges, share * largest) if largest > 0 else np.ones_like(ranges)
