"""quantune-equalize-ranges.

In:  simplified fp32 TOSA, and a profile of it.
Out: the same function, with channels between two products scaled so that ranges are alike (numerics/equalization.py):

     relu(x . W1 + b1) . W2    ==    relu(x . (W1 / s) + b1 / s) . (s * W2)         s > 0, per channel
     clamp(y, 0, h) / s        ==    minimum(clamp(y / s, 0, inf), h / s)

Only channels that a depthwise convolution makes or reads are scaled, unless `everywhere` is given: there one channel
is one filter, and a filter of small weights is lost beside one of large. Where each output sums over all channels,
their ranges differ less, and the activation loses more than the weights win.

Scaled tensors carry `quantune.extremes`, as the profile's histograms are of what they held before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.graph.linear_ops import Product, match_product
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.scalable import ScalableRange
from quantune_mlir.graph.units import Unit
from quantune_mlir.mlir.attributes import EXTREMES, INPUT_MEANS, LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value
from quantune_mlir.mlir.signature import model_hash
from quantune_mlir.mlir.tosa import build
from quantune_mlir.numerics.channels import ChannelStatistics
from quantune_mlir.numerics.equalization import Link, equalizing_scales
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.pipeline.base import NetworkPass


@dataclass(frozen=True)
class EqualizeRanges(NetworkPass):
    """Scale channels between products so that one int8 scale per tensor fits them all."""

    name: ClassVar[str] = "quantune-equalize-ranges"

    profile: Profile
    everywhere: bool = False

    def apply_to(self, network: Network) -> None:
        self.profile.require_model(model_hash(network.module))
        tensors = network.tensors
        seen = {v: self.profile.channels_of(name) for v, name in network.channel_tensors.items()}
        ranges = [found for found in network.scalable_ranges if self.everywhere or _beside_depthwise(found)]
        for found, scales in zip(ranges, _scales(ranges, seen), strict=True):
            for value in found.values:
                if value in tensors.names:
                    _annotate(value, seen[value], scales)
            _scale(found, scales)


def _beside_depthwise(found: ScalableRange) -> bool:
    return any(p.op.name == "tosa.depthwise_conv2d" for p in (found.producer, *found.consumers))


def _scales(ranges: Sequence[ScalableRange], seen: Mapping[ir.Value, ChannelStatistics]) -> list[NDArray[np.float64]]:
    products = {p.op: p for found in ranges for p in (found.producer, *found.consumers)}
    number = {op: index for index, op in enumerate(products)}
    links = [
        Link(number[found.producer.op], tuple(number[c.op] for c in found.consumers), _activation(found, seen))
        for found in ranges
    ]
    return equalizing_scales([product.magnitudes for product in products.values()], links)


def _activation(found: ScalableRange, seen: Mapping[ir.Value, ChannelStatistics]) -> NDArray[np.float64]:
    """The largest magnitude of each channel that the consumers read."""
    read = [seen[consumer.op.operands[0]] for consumer in found.consumers]
    return np.max([np.maximum(-s.minimum, s.maximum) for s in read], axis=0).astype(np.float64)


def _annotate(root: ir.Value, seen: ChannelStatistics, scales: NDArray[np.float64]) -> None:
    extremes = [float((seen.minimum / scales).min()), float((seen.maximum / scales).max())]
    root.owner.operation.attributes[EXTREMES] = ir.DenseF32ArrayAttr.get(extremes)


def _scale(found: ScalableRange, scales: NDArray[np.float64]) -> None:
    """Divide the channels by `scales` between the producer and the consumers."""
    nothing = np.zeros_like(scales)
    _current(found.producer).rescale_outputs(1 / scales, nothing)
    for consumer in found.consumers:
        _current(consumer).rescale_inputs(scales, nothing)
        if INPUT_MEANS in consumer.op.attributes:
            means = np.array(list(ir.DenseF64ArrayAttr(consumer.op.attributes[INPUT_MEANS]))) / scales
            consumer.op.attributes[INPUT_MEANS] = ir.DenseF64ArrayAttr.get(means.tolist())
    for cap in found.caps:
        _scale_cap(cap, scales)


def _current(product: Product) -> Product:
    """The product with the constants that it has now."""
    found = match_product(product.op)
    assert found is not None
    return found


def _scale_cap(cap: Unit, scales: NDArray[np.float64]) -> None:
    """Divide the upper bound of a clamp, which becomes a minimum of one bound for each channel."""
    clamp, *minimum = cap.ops
    f32 = ir.F32Type.get()
    high = ir.FloatAttr(clamp.attributes["max_val"]).value
    bounds = constant_value(minimum[0].operands[1]) if minimum else np.full(scales.size, high)
    assert bounds is not None
    bounds = np.minimum(np.broadcast_to(bounds.reshape(-1), scales.shape), high) / scales
    clamp.attributes["max_val"] = ir.FloatAttr.get(f32, float("inf"))
    shape = [1] * (len(ir.RankedTensorType(cap.output.type).shape) - 1) + [scales.size]
    with ir.InsertionPoint.after(clamp), clamp.location:
        operand = constant(bounds.reshape(shape).astype(np.float32))
        if minimum:
            operand.owner.operation.move_before(minimum[0])
            minimum[0].operands[1] = operand
            return
        capped = build.elementwise("minimum", clamp.results[0], operand).owner.operation
    for name in (LAYER, OP, EXTREMES):
        if name in clamp.attributes:
            capped.attributes[name] = clamp.attributes[name]
    if EXTREMES in clamp.attributes:
        del clamp.attributes[EXTREMES]
    clamp.results[0].replace_all_uses_except(capped.results[0], capped)
