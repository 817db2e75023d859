"""quantune-assign-channel-levels.

In:  simplified fp32 TOSA, and a profile of it.
Out: the same, what makes an output whose channels are judged by their own scale annotated with
     `quantune.channel_levels`, by which run 2 tells groups of them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.graph.network import Network
from quantune_mlir.mlir.attributes import CHANNEL_LEVELS
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.signature import model_hash
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.pipeline.base import NetworkPass


@dataclass(frozen=True)
class AssignChannelLevels(NetworkPass):
    """Annotate what makes an output with the root mean square of each of its channels, as run 1 tells it."""

    name: ClassVar[str] = "quantune-assign-channel-levels"

    profile: Profile

    preserves_network: ClassVar[bool] = True

    def apply_to(self, network: Network) -> None:
        self.profile.require_model(model_hash(network.module))
        for value in network.closing_channels:
            found = self.profile.channels.get(network.channel_tensors[value])
            if found is not None:
                levels = ir.DenseF64ArrayAttr.get(found.root_mean_square.tolist())
                network.makers[value].op.attributes[CHANNEL_LEVELS] = levels
