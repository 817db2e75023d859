"""A warning where samples differ so much in size that others will be clipped, whatever was measured on these."""

from __future__ import annotations

from typing import Final

from quantune_mlir.numerics.formats import INT8
from quantune_mlir.numerics.metrics import decibels
from quantune_mlir.numerics.parts import LEAST_DB
from quantune_mlir.numerics.schemes import extent
from quantune_mlir.numerics.tails import clipped_share, tails
from quantune_mlir.workflow.quantized_model import QuantizedModel

TIMES: Final = 10.0
"""So many times as many samples as were calibrated with are expected to come."""
ERRORS: Final = 1.0
"""By so many standard errors tails may be heavier than they are estimated to be."""
MANY: Final = 0.25
"""The share of the tensors in int8 from which on it is told: one alone may be of little account."""


def heavy_tails(quantization: QuantizedModel) -> str | None:
    """A warning that names the tensor with the heaviest tail, and what to do; None if few tensors have one."""
    shares = _clipped(quantization)
    many = [name for name, share in shares.items() if decibels(share) < LEAST_DB]
    if not many or len(many) < MANY * len(shares):
        return None
    worst = max(many, key=lambda name: _reach(quantization, name)[0])
    reach, held = _reach(quantization, worst)
    return (
        f"the samples differ much in size: {TIMES:g} times as many may reach {reach:.1f} times as far at "
        f"{worst}, where int8 holds {held:.1f} times; {len(many)} of {len(shares)} tensors in int8 would be clipped\n"
        "remedy: calibrate with more samples, the largest among them, or bring all to one size before the network"
    )


def _clipped(quantization: QuantizedModel) -> dict[str, float]:
    """By tensor in int8, the share of its energy that clipping may take."""
    network, precision = quantization.model.network, quantization.mixed.precision
    names, groups = network.tensors.names, network.tensors.groups
    stored = dict.fromkeys(
        names[root]
        for layer in quantization.model.layers
        if precision[layer.name] == INT8.name
        for value in (*layer.inputs, layer.output)
        for root in groups.get(value, ())
    )
    parameters = quantization.parameters
    return {
        name: clipped_share(quantization.profile[name], parameters[name].lo, parameters[name].hi, TIMES, ERRORS)
        for name in stored
        if name in parameters
    }


def _reach(quantization: QuantizedModel, name: str) -> tuple[float, float]:
    """How many times as far as the calibration samples others go, and int8 does, at the end with the heavier tail."""
    histogram, parameters = quantization.profile[name], quantization.parameters[name]
    ends = zip(
        tails(histogram, ERRORS),
        extent(histogram.minimum, histogram.maximum),
        extent(parameters.lo, parameters.hi),
        strict=True,
    )
    return max((tail.reach(TIMES) / tail.reached, held / seen) for tail, seen, held in ends if tail is not None)
