"""Constants that a model stores in int8: which scales and zero points they came with, through what only moves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import StoredScales, Tensor
from quantune_mlir.importers.onnx.node import attribute_values
from quantune_mlir.mlir import attributes
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.qparams import to_attribute
from quantune_mlir.numerics.parameters import QuantParams

_MOVES: Final = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
_INT8: Final = (np.dtype(np.int8), np.dtype(np.uint8))
_SUMS: Final = {"Add", "Sub", "Mul"}
_PRODUCTS: Final = {"Conv", "Gemm", "MatMul"}


def signed_zero_points(zero_points: NDArray[np.generic] | None, dtype: np.dtype) -> NDArray[np.int32]:
    """Zero points as those of int8."""
    zeros = np.zeros(1, np.int32) if zero_points is None else zero_points.astype(np.int32)
    return zeros - 128 if dtype == np.uint8 else zeros


def fold_pair(proto: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> list[Tensor] | None:
    """The result of QuantizeLinear or DequantizeLinear of constants; None of another node.

    Raises:
        Unsupported: it is none of int8.
    """
    if proto.op_type not in ("QuantizeLinear", "DequantizeLinear"):
        return None
    x, scales, zero = (None if t is None else t.array for t in (*inputs, None)[:3])
    given = attribute_values(proto)
    if x is None or scales is None or scales.ndim > 1 or scales.dtype != np.float32 or given.get("block_size", 0):
        raise Unsupported("constants of other scales than one in fp32, or one for each channel")
    axis = given.get("axis", 1) % max(1, x.ndim)
    along = [-1 if i == axis else 1 for i in range(x.ndim)] if scales.size > 1 else [1] * x.ndim
    step = scales.reshape(along)
    if proto.op_type == "QuantizeLinear":
        dtype = np.dtype(np.uint8) if zero is None else zero.dtype
        _require_int8(dtype)
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        zeros = 0 if zero is None else zero.astype(np.float32).reshape(along)
        return [Tensor.constant(np.clip(np.rint(x / step) + zeros, low, high).astype(dtype))]
    if x.dtype != np.int32:
        _require_int8(x.dtype)
    zeros = 0 if zero is None else zero.astype(np.int32).reshape(along)
    result = Tensor.constant((x.astype(np.int32) - zeros).astype(np.float32) * step)
    if x.dtype == np.int32:
        return [result]
    stored = StoredScales(scales.reshape(-1), signed_zero_points(zero, x.dtype).reshape(-1), axis)
    return [replace(result, scales=stored)]


def require_scales(proto: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> None:
    """Raise Unsupported if scales of a DequantizeLinear are neither one, nor for each channel, nor for blocks."""
    if proto.op_type != "DequantizeLinear" or inputs[0] is None or inputs[1] is None:
        return
    (x, scales), given = (inputs[0], inputs[1]), attribute_values(proto)
    axis = given.get("axis", 1)
    in_blocks = given.get("block_size", 0) > 0 and scales.rank == x.rank
    by_channel = scales.rank == 1 and -x.rank <= axis < x.rank and scales.size == x.shape[axis]
    if not in_blocks and not by_channel and scales.size != 1:
        raise Unsupported(f"scales {list(scales.shape)} of {list(x.shape)} along axis {axis}")


def _require_int8(dtype: np.dtype) -> None:
    if dtype not in _INT8:
        raise Unsupported(f"quantization to {dtype}; int8 and uint8 are supported")


def moved_scales(proto: onnx.NodeProto, inputs: Sequence[Tensor | None], results: list[Tensor]) -> list[Tensor]:
    """The results of a node of constants, with the scales of what it only moves."""
    source = inputs[0].scales if inputs and inputs[0] is not None else None
    if source is None or len(results) != 1:
        return results
    (result,) = results
    if proto.op_type == "Transpose":
        order = list(attribute_values(proto).get("perm", range(result.rank)[::-1]))
        return [replace(result, scales=replace(source, axis=order.index(source.axis)))]
    if proto.op_type in _MOVES and source.scales.size == 1:
        return [replace(result, scales=source)]
    return results


def scale_attributes(op_type: str, inputs: Sequence[Tensor | None], transposed: bool) -> dict[str, ir.Attribute]:
    """What TOSA ops must know of the scales of a node's constant: `transposed` says whether Gemm transposes it."""
    if op_type in _PRODUCTS and len(inputs) > 1 and (weights := inputs[1]) is not None and weights.scales is not None:
        axis = {"Conv": 0, "Gemm": 0 if transposed else 1}.get(op_type, weights.rank - 1)
        found = weights.scales
        if not found.zero_points.any() and (found.scales.size == 1 or found.axis == axis):
            return {attributes.WEIGHT_SCALES: ir.DenseF32ArrayAttr.get(found.scales.tolist())}
    if op_type in _SUMS:
        stored = [t.scales for t in inputs if t is not None and t.array is not None and t.scales is not None]
        if len(stored) == 1 and stored[0].scales.size == 1:
            params = QuantParams(float(stored[0].scales[0]), int(stored[0].zero_points[0]))
            return {attributes.CONSTANT_QPARAMS: to_attribute(params, ir.Context.current)}
    return {}
