"""The ops that multiply by constant weights, seen alike: which axis of the weights is which channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant, constant_value, is_float
from quantune_mlir.numerics.equalization import Magnitudes

_WEIGHTS: Final = 1
_BIAS: Final = 2


@dataclass(frozen=True)
class _Kind:
    """Axes of the weights that count output and input channels; a depthwise op's outputs are (input, multiplier)."""

    output_axes: tuple[int, ...]
    input_axis: int
    has_bias: bool


_KINDS: Final = {
    "tosa.conv2d": _Kind(output_axes=(0,), input_axis=3, has_bias=True),
    "tosa.depthwise_conv2d": _Kind(output_axes=(2, 3), input_axis=2, has_bias=True),
    "tosa.matmul": _Kind(output_axes=(2,), input_axis=1, has_bias=False),
    "tosa.transpose_conv2d": _Kind(output_axes=(0,), input_axis=3, has_bias=True),
}


@dataclass(frozen=True)
class Product:
    """A float32 convolution or matrix product of a variable and constant weights.

    The editing methods take float64 and replace its constants: computed in double precision, rounded to float32 once.
    """

    op: ir.Operation
    weights: np.ndarray
    bias: np.ndarray | None

    @property
    def reads_beyond_border(self) -> bool:
        """Whether some output sums over fewer inputs than others do: there is padding, or the op is transposed."""
        if self.op.name == "tosa.transpose_conv2d":
            return True
        return "pad" in self.op.attributes and any(self.op.attributes["pad"])

    def rescale_outputs(self, scale: np.ndarray, shift: np.ndarray) -> None:
        """Make the op compute scale * itself + shift; both have one number for each output channel."""
        axes = _KINDS[self.op.name].output_axes
        if (scale != 1).any():
            self._set(_WEIGHTS, self.weights * _along(self.weights, axes, scale))
        if self.bias is not None:
            self._set(_BIAS, self.bias * scale + shift)

    def rescale_inputs(self, scale: np.ndarray, shift: np.ndarray) -> None:
        """Make the op compute itself of scale * input + shift; both have one number for each input channel.

        A shift needs a bias, and an op that does not read beyond the border.
        """
        axes = (_KINDS[self.op.name].input_axis,)
        if self.bias is not None:
            self._set(_BIAS, self.bias + response(self.op, self.weights, shift))
        self._set(_WEIGHTS, self.weights * _along(self.weights, axes, scale))

    @property
    def magnitudes(self) -> Magnitudes:
        """The largest absolute weight between each input and each output channel."""
        kind = _KINDS[self.op.name]
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
    kind = _KINDS[op.name]
    summed = tuple(axis for axis in range(weights.ndim) if axis not in kind.output_axes)
    return (weights * _along(weights, (kind.input_axis,), inputs)).sum(axis=summed).reshape(-1)


def match_product(op: ir.Operation | None) -> Product | None:
    """`op` as a product, if it is one of float32 and its weights and bias are constants."""
    if op is None or op.name not in _KINDS or not is_float(op.results[0]):
        return None
    weights = constant_value(op.operands[_WEIGHTS])
    if weights is None:
        return None
    if not _KINDS[op.name].has_bias:
        return Product(op, weights, None)
    bias = constant_value(op.operands[_BIAS])
    if bias is None:
        return None
    return Product(op, weights, np.broadcast_to(bias, op.results[0].type.shape[-1:]))


def _along(weights: np.ndarray, axes: tuple[int, ...], values: np.ndarray) -> np.ndarray:
    """`values`, which run over `axes` of the weights, in a shape that broadcasts against them."""
    return values.reshape([size if axis in axes else 1 for axis, size in enumerate(weights.shape)])
