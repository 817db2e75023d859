"""What each layer's own int8 error adds at the network's output, without running the network once for each layer.

Let e be the error that a layer alone in int8 makes at its result, y the output, and J the derivative of y with respect
to that result. To first order the output's error is J e (where functions bend, see slopes.py). For a vector v of
random signs,

    E[ (v . J e)^2 ] = |J e|^2        and        v . J e = (J^T v) . e

and J^T v comes for all layers from one sweep back through the fp32 run (sweep.py). So each layer costs two inner
products, each in 64 lanes (sensitivity/projected_noise.py tells what for). The signs are drawn anew for each sample:
from the digits of the output itself, far behind the point. Of several outputs, or parts of one, a run looks at those
that its last argument names: a number for each, by which v is multiplied there.

What goes away if a layer becomes fp32 is less than e where its inputs stay rounded to int8 for others. With r the
error of such an input, and c the part of its cotangent that comes through this layer, that is (J^T v) . e - sum c . r.
What the rounding of an input adds through all that read it is (J^T v) . r, with its whole cotangent.

Each inner product is a `quantune.project`: of e as the layer's part "made", of r as its part "kept", and with the whole
cotangent as the part "rounded" of the layer that makes the input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.adjoint import float_ops as ops
from quantune_mlir.adjoint.sweep import Cotangents, NoAdjointError
from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.units import Unit
from quantune_mlir.integer.unit_emitter import Quantized
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.mlir.dialects.quantune import KEPT, MADE, ROUNDED, Part
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa import build
from quantune_mlir.numerics.parameters import QuantParams

_DIGITS: Final = 64.0
"""The signs follow the parity of the output in units of this part of an int8 step."""
_FURTHER: Final = 2.0**14
_TIMES: Final = 3
"""So often what is less than an int8 step is told by digits further behind the point. Else all that is next to nothing,
as most of a detector's scores are, would have one sign, and errors of one sign there would add up."""


@dataclass(frozen=True)
class LayerError:
    """A layer that decides, alone in int8: `approximation` stands for the value `result`, i8 with `params` or f32."""

    layer: Layer
    result: ir.Value
    approximation: ir.Value
    params: QuantParams | None


@dataclass(frozen=True)
class Direction:
    """Where an output is looked at.

    Attributes:
        output: the value.
        weights: by what the signs of its channels, along the last axis, are multiplied; None: 1.
        without_mean_along: the axis along which noise that all elements share does not count; None: all counts.
    """

    output: ir.Value
    weights: NDArray[np.float64] | None = None
    without_mean_along: int | None = None


def sweep_back(
    units: Sequence[Unit],
    directions: Sequence[Direction],
    shares: ir.Value | None,
    params: Mapping[ir.Value, QuantParams],
    arrived: Callable[[ir.Value], ir.Value | None],
    before: ir.Operation,
) -> Cotangents | None:
    """Emits the sweep before an op; None if some op on the way has no adjoint.

    Args:
        units: of the function.
        directions: of the outputs that noise is reckoned at.
        shares: a number for each direction, by which it is multiplied; None: 1.
        params: of the activations.
        arrived: an activation with every layer int8.
        before: an op after everything.
    """
    with ir.InsertionPoint(before), before.location:
        seeds = {direction.output: _seed(direction, params) for direction in directions}
        if shares is not None:
            for place, (output, seed) in enumerate(seeds.items()):
                share = ops.reshape(ops.cut(shares, [place], [1]), (1,) * len(shape_of(output)))
                seeds[output] = ops.multiply(seed, share)
        try:
            return Cotangents(units, seeds, params, arrived)
        except NoAdjointError:
            return None


def project_rounding(layer: Layer, cotangent: ir.Value, rounded: Quantized) -> None:
    """Emits what the rounding of a layer's result adds through all that read it, after the cotangent of the result."""
    with ir.InsertionPoint.after(cotangent.owner), layer.units[-1].op.location:
        quantune.project(cotangent, layer.output, rounded.value, layer.name, part=ROUNDED, params=rounded.params)


def project(
    error: LayerError,
    cotangents: Cotangents,
    rounded: Mapping[ir.Value, Quantized],
    private: Set[ir.Value],
    before: ir.Operation,
) -> None:
    """Emits what a layer makes before an op, and what of it is kept as soon as can be.

    Args:
        error: of a layer whose result has a cotangent.
        cotangents: of the fp32 run.
        rounded: tensors that int8 layers read, in int8.
        private: those of them that are rounded for one layer only.
        before: an op after the cotangent and the approximation.
    """
    layer, location = error.layer, error.layer.units[-1].op.location

    def emit(
        part: Part,
        cotangent: ir.Value,
        reference: ir.Value,
        candidate: ir.Value,
        params: QuantParams | None,
        where: ir.InsertionPoint,
    ) -> None:
        with where, location:
            quantune.project(cotangent, reference, candidate, layer.name, part=part, params=params)

    made = cotangents.of[error.result], error.result, error.approximation, error.params
    emit(MADE, *made, ir.InsertionPoint(before))
    for value in layer.inputs:
        if value not in rounded or value in private:
            continue
        for unit in layer.units:
            cotangent = cotangents.along.get((unit.output, value))
            if cotangent is not None:
                soon = ir.InsertionPoint.after(cotangent.owner)
                emit(KEPT, cotangent, value, rounded[value].value, rounded[value].params, soon)


def _seed(direction: Direction, params: Mapping[ir.Value, QuantParams]) -> ir.Value:
    """v of a direction. With P what takes off the mean, P is symmetric: (P v) . J e = v . (P J e)."""
    signs = _random_signs(direction.output, params)
    if direction.weights is not None:
        signs = ops.multiply(signs, ops.along_channels(direction.output, direction.weights))
    axis = direction.without_mean_along
    return signs if axis is None else ops.subtract(signs, ops.mean_along(signs, axis))


def _random_signs(output: ir.Value, params: Mapping[ir.Value, QuantParams]) -> ir.Value:
    """+1 or -1 for each element, as good as random."""

    def each(value: float) -> ir.Value:
        return ops.number(np.full((1,) * len(shape_of(output)), value))

    step = params[output].scale if output in params else 1.0
    scaled = ops.multiply(output, each(_DIGITS / step))
    for _ in range(_TIMES):
        tiny = ops.greater(each(_DIGITS), ops.absolute(scaled))
        scaled = ops.select(tiny, ops.multiply(scaled, each(_FURTHER)), scaled)
    fraction = ops.subtract(scaled, build.elementwise("floor", scaled))
    return ops.select(ops.greater(fraction, each(0.5)), each(1.0), each(-1.0))
