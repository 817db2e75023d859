"""quantune-assign-input-means.

In:  simplified fp32 TOSA, and a profile of it.
Out: the same, each convolution annotated with `quantune.input_means`, by which its int8 form corrects the bias for what
     the rounding of the weights does on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.graph.linear_ops import match_product
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.units import Kind
from quantune_mlir.mlir.attributes import INPUT_MEANS
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.signature import model_hash
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.pipeline.base import NetworkPass


@dataclass(frozen=True)
class AssignInputMeans(NetworkPass):
    """Annotate each convolution with the mean of its input channels, for bias correction."""

    name: ClassVar[str] = "quantune-assign-input-means"

    profile: Profile

    preserves_network: ClassVar[bool] = True

    def apply_to(self, network: Network) -> None:
        self.profile.require_model(model_hash(network.module))
        for unit in network.units:
            product = match_product(unit.op) if unit.kind is Kind.DOT else None
            if product is not None and product.corrects_bias and unit.layer is not None:
                mean = self.profile.channels_of(network.channel_tensors[product.op.operands[0]]).mean
                unit.op.attributes[INPUT_MEANS] = ir.DenseF64ArrayAttr.get(mean.tolist())
