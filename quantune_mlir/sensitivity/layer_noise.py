"""What run 2 tells of the noise of each layer, before it is known how plans share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quantune_mlir.planning.noise_model import Powers


@dataclass(frozen=True)
class LayerNoise:
    """Noise-to-signal powers at the parts of the network's output.

    Attributes:
        parts: the layers that make them.
        own: what each deciding layer takes away by being fp32 among int8 ones.
        alone: what each deciding layer adds if it alone is int8.
        rounded: what the rounding of a layer's result brings through all that read it.
        kept: what stays of a deciding layer's noise if it alone is fp32.
    """

    parts: tuple[str, ...]
    own: Mapping[str, Powers]
    alone: Mapping[str, Powers]
    rounded: Mapping[str, Powers]
    kept: Mapping[str, Powers] = field(default_factory=dict[str, Powers])
