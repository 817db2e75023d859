"""QuantizeLinear and DequantizeLinear: a clamp to what int8 can hold, marked with the parameters it is rounded with.

    dequantize(quantize(x))   ->   tosa.clamp(x, low, high) {quantune.qparams}

The mark says that the tensor is rounded there; quantune-lower-qdq does it. uint8 becomes int8 with another zero point,
which is the same numbers. Where the integers themselves are wanted, they are computed from the clamp's result; where
they come from elsewhere, the numbers are computed from them, and marked. A tensor with a scale for each channel is
divided by these before it is rounded with scale 1, and multiplied by them after: both can fold into a product.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import StoredScales, Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.quantized import signed_zero_points
from quantune_mlir.mlir.attributes import QPARAMS
from quantune_mlir.mlir.qparams import to_attribute
from quantune_mlir.numerics.parameters import QuantParams

_TYPES: Final = (np.dtype(np.int8), np.dtype(np.uint8))
_SIGN: Final = -128
"""The bit in which uint8 and int8 with zero points 128 apart differ."""


@operator("QuantizeLinear", since=10)
def quantize_linear(b: Builder, node: Node) -> Tensor:
    x, zero = node.input(0), node.optional_input(2)
    dtype = np.dtype(np.uint8) if zero is None else zero.dtype
    stored = _stored(node, dtype)
    if x.dtype != np.float32:
        raise Unsupported(f"element type {x.dtype}; f32 is supported")
    params, channels = _parameters(stored)
    if channels is not None:
        with b.part("channels"):
            x = b.mul(x, _along(node, x, (1 / channels).astype(np.float32)))
    rounded = _marked(b, x, params)
    with b.part("integers"):
        integers = b.shifted(b.scaled(rounded, params.inverse_scale), float(params.zero_point))
        integers = b.cast(integers, np.int8)
        if dtype == np.uint8:
            integers = _other_sign(b, integers, np.uint8)
    return Tensor(dtype, x.shape, value=integers.value, scales=stored, rounded=rounded.value)


@operator("DequantizeLinear", since=10)
def dequantize_linear(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    if x.dtype == np.int32:
        return b.mul(b.cast(x, np.float32), _along(node, x, _scales(node)))
    stored = _stored(node, x.dtype)
    params, channels = _parameters(stored)
    if x.rounded is not None and x.scales is not None and x.scales.is_equal(stored):
        numbers = Tensor.computed(x.rounded, np.float32)
    else:
        with b.part("numbers"):
            integers = b.cast(x if x.dtype == np.int8 else _other_sign(b, x, np.int8), np.float32)
            numbers = b.scaled(b.shifted(integers, -float(params.zero_point)), params.scale)
        numbers = _marked(b, numbers, params)
    return numbers if channels is None else b.mul(numbers, _along(node, x, channels))


def _marked(b: Builder, x: Tensor, params: QuantParams) -> Tensor:
    rounded = b.clamp(x, params.lo, params.hi)
    assert rounded.value is not None
    op = rounded.value.owner.operation
    op.attributes[QPARAMS] = to_attribute(params, op.context)
    return rounded


def _other_sign(b: Builder, x: Tensor, dtype: type[np.generic]) -> Tensor:
    """uint8 as the int8 that stands 128 below it, and back: the same bits but one."""
    bits = Tensor(np.dtype(np.int8), x.shape, value=x.value)
    value = b.binary("bitwise_xor", bits, b.splat(_SIGN, np.int8, x.rank)).value
    return Tensor(np.dtype(dtype), x.shape, value=value)


def _stored(node: Node, dtype: np.dtype) -> StoredScales:
    if dtype not in _TYPES:
        raise Unsupported(f"quantization to {dtype}; int8 and uint8 are supported")
    zero_points = signed_zero_points(node.constant_input(2, "the zero point"), dtype).reshape(-1)
    if (zero_points != zero_points[0]).any():
        raise Unsupported("an activation with a zero point for each channel; one for all is supported")
    return StoredScales(_scales(node), zero_points, node.attribute("axis", 1) % max(1, node.input(0).rank))


def _parameters(stored: StoredScales) -> tuple[QuantParams, NDArray[np.float32] | None]:
    """The parameters of a tensor; where scales differ between channels, of one that was divided by them before."""
    uniform = bool((stored.scales == stored.scales[0]).all())
    params = QuantParams(float(stored.scales[0]) if uniform else 1.0, int(stored.zero_points[0]))
    return params, None if uniform else stored.scales


def _scales(node: Node) -> NDArray[np.float32]:
    if node.attribute("block_size", 0):
        raise Unsupported("a scale for each block; one for a tensor or for each channel is supported")
    array = node.constant_input(1, "the scale")
    if array is None or array.dtype != np.float32:
        raise Unsupported("its scale is not in fp32")
    return array.reshape(-1)


def _along(node: Node, x: Tensor, values: NDArray[np.float32]) -> Tensor:
    """One number for all, or for each index of the node's axis, so that it broadcasts against `x`."""
    shape = [1] * x.rank
    if values.size > 1:
        shape[node.attribute("axis", 1) % x.rank] = values.size
    return Tensor.constant(values.reshape(shape))
