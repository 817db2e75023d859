"""The ops that multiply by constant weights, seen alike: which axis of the weights is which channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from quantune_mlir.mlir.attributes import WEIGHT_SCALES
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value, is_float
from quantune_mlir.mlir.tosa.facts import Weights
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.numerics.equalization import Magnitudes

_WEIGHTS: Final = 1
_BIAS: Final = 2


@dataclass(frozen=True)
class Product:
    """A float32 convolution or matrix product of a variable and constant weights.

    The editing methods take float64 and replace its constants: computed in double precision, rounded to float32 once.
    """

    op: ir.Operation
    weights: np.ndarray
    bias: np.ndarray | None

    @property
    def _channels(self) -> Weights:
        weights = traits_of(self.op).weights
        assert weights is not None, self.op.name
        return weights

    @property
    def corrects_bias(self) -> bool:
        """Whether it has a bias that can make up for what the weights' rounding adds on average: see `response`."""
        return self._channels.bias and not self._channels.scatters

    @property
    def reads_beyond_border(self) -> bool:
        """Whether some output sums over fewer inputs than others do: there is padding, or the op is transposed."""
        return self._channels.scatters or ("pad" in self.op.attributes and any(self.op.attributes["pad"]))

    def rescale_outputs(self, scale: np.ndarray, shift: np.ndarray) -> None:
        """Make the op compute scale * itself + shift; both have one number for each output channel."""
        axes = self._channels.output_axes
        if (scale != 1).any():
            self._set(_WEIGHTS, self.weights * _along(self.weights, axes, scale))
            self._scale_stored(scale)
        if self.bias is not None:
            self._set(_BIAS, self.bias * scale + shift)

    def rescale_inputs(self, scale: np.ndarray, shift: np.ndarray) -> None:
        """Make the op compute itself of scale * input + shift; both have one number for each input channel.

        A shift needs a bias, and an op that does not read beyond the border.
        """
        axes = (self._channels.input_axis,)
        if self.bias is not None:
            self._set(_BIAS, self.bias + response(self.op, self.weights, shift))
        self._set(_WEIGHTS, self.weights * _along(self.weights, axes, scale))
        if self._channels.depthwise:
            self._scale_stored(np.repeat(scale, self.weights.shape[3]))
        elif (scale == scale[0]).all():
            self._scale_stored(np.full(self.output_channels, scale[0]))
        elif WEIGHT_SCALES in self.op.attributes:
            del self.op.attributes[WEIGHT_SCALES]

    def _scale_stored(self, factors: np.ndarray) -> None:
        """Multiply what each output channel's weights were stored with, so that they stay the same integers."""
        if WEIGHT_SCALES in self.op.attributes:
            scales = np.array(list(ir.DenseF32ArrayAttr(self.op.attributes[WEIGHT_SCALES]))) * np.abs(factors)
            self.op.attributes[WEIGHT_SCALES] = ir.DenseF32ArrayAttr.get(scales.astype(np.float32).tolist())

    @property
    def magnitudes(self) -> Magnitudes:
        """The largest absolute weight between each input and each output channel."""
        kind = self._channels
        summed = tuple(a for a in range(self.weights.ndim) if a != kind.input_axis and a not in kind.output_axes)
        largest = np.abs(self.weights).max(axis=summed, keepdims=True).astype(np.float64)
        return Magnitudes(largest, kind.output_axes, kind.input_axis)

    @property
    def output_channels(self) -> int:
        """The size of the result's last axis."""
        return self.op.results[0].type.shape[-1]

    @property
    def input_channels(self) -> int:
        """The size of the variable operand's last axis."""
        return self.op.operands[0].type.shape[-1]

    def _set(self, operand: int, array: np.ndarray) -> None:
        self.op.operands[operand] = constant(
            array.astype(np.float32), loc=self.op.location, ip=ir.InsertionPoint(self.op)
        )


def response(op: ir.Operation, weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """What `op` with these weights makes of inputs that are constant in each channel: one number for each output.

    Bias and borders are left out, and strides of a transposed convolution.
    """
    kind = traits_of(op).weights
    assert kind is not None, op.name
    summed = tuple(axis for axis in range(weights.ndim) if axis not in kind.output_axes)
    return (weights * _along(weights, (kind.input_axis,), inputs)).sum(axis=summed).reshape(-1)


def match_product(op: ir.Operation | None) -> Product | None:
    """`op` as a product, if it is one of float32 and its weights and bias are constants."""
    kind = traits_of(op).weights if op is not None else None
    if op is None or kind is None or not is_float(op.results[0]):
        return None
    weights = constant_value(op.operands[_WEIGHTS])
    if weights is None:
        return None
    if not kind.bias:
        return Product(op, weights, None)
    bias = constant_value(op.operands[_BIAS])
    if bias is None:
        return None
    return Product(op, weights, np.broadcast_to(bias, op.results[0].type.shape[-1:]))


def _along(weights: np.ndarray, axes: tuple[int, ...], values: np.ndarray) -> np.ndarray:
    """`values`, which run over `axes` of the weights, in a shape that broadcasts against them."""
    return values.reshape([size if axis in axes else 1 for axis, size in enumerate(weights.shape)])
