"""Gemm and MatMul: a 1x1 tosa.conv2d where the weights are constant, tosa.matmul elsewhere.

The convolution form has a bias and an integer version with per-channel scales, which is why it is preferred.
"""

from __future__ import annotations

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node

_INTEGERS = (np.dtype(np.int32), np.dtype(np.int64))


@operator("Gemm")
def gemm(b: Builder, node: Node) -> Tensor:
    a, weights, c = node.input(0), node.input(1), node.optional_input(2)
    _require_float(a)
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    if node.attribute("transA", 0):
        a = b.transpose(a, (1, 0))
    if node.attribute("transB", 0):
        weights = b.transpose(weights, (1, 0))
    outputs = weights.shape[1]
    if weights.array is None:
        product = b.scaled(_matrix_product(b, a, weights), alpha)
        return product if c is None or beta == 0 else b.add(product, b.scaled(c, beta))
    scaled = Tensor.constant((weights.array.astype(np.float64) * alpha).astype(a.dtype)) if alpha != 1 else weights
    bias = _row_bias(c, beta, outputs, a.dtype)
    if bias is not None:
        return fully_connected(b, a, scaled, bias)
    product = fully_connected(b, a, scaled, _no_bias(outputs, a.dtype))
    return product if c is None else b.add(product, b.scaled(c, beta))


def _require_float(x: Tensor) -> None:
    if not x.is_float:
        raise Unsupported(f"element type {x.dtype}; f32 and f16 are supported")


def _no_bias(outputs: int, dtype: np.dtype) -> Tensor:
    return Tensor.constant(np.zeros(outputs, dtype))


def _row_bias(c: Tensor | None, beta: float, outputs: int, dtype: np.dtype) -> Tensor | None:
    """beta * C as a bias [outputs], or None where C is not one constant row."""
    if c is None or beta == 0:
        return _no_bias(outputs, dtype)
    if c.array is None or c.size not in (1, outputs) or (c.size > 1 and c.shape[-1] != outputs):
        return None
    row = np.broadcast_to(c.array.reshape(-1).astype(np.float64) * beta, (outputs,))
    return Tensor.constant(row.astype(dtype))


def fully_connected(b: Builder, x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """[M, K] x constant [K, N] + bias [N] as tosa.conv2d of M images of one pixel."""
    return pixel_product(b, x, pixel_kernel(b, weights), bias)


def pixel_kernel(b: Builder, weights: Tensor) -> Tensor:
    """[K, N] as the kernel [N, 1, 1, K] of a convolution."""
    inputs, outputs = weights.shape
    return b.reshape(b.transpose(weights, (1, 0)), (outputs, 1, 1, inputs))


def pixel_product(b: Builder, x: Tensor, kernel: Tensor, bias: Tensor, summand: Tensor | None = None) -> Tensor:
    """[M, K] and a constant kernel [N, 1, 1, K], which several products may share, plus a tensor: [M, N]."""
    rows, inputs = x.shape
    outputs = kernel.shape[0]
    image = b.reshape(x, (rows, 1, 1, inputs))
    shape = (rows, 1, 1, outputs)
    result = b.convolution("conv2d", image, kernel, bias, shape, [0, 0, 0, 0], [1, 1], [1, 1])
    if summand is not None:
        result = b.add(b.reshape(summand, shape), result)
    return b.reshape(result, (rows, outputs))


def _matrix_product(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    """[M, K] x [K, N] -> [M, N] of run-time values."""
    product = b.matmul(b.reshape(x, (1, *x.shape)), b.reshape(y, (1, *y.shape)))
    return b.reshape(product, product.shape[1:])


@operator("MatMul")
def matmul(b: Builder, node: Node) -> Tensor:
    x, y = node.input(0), node.input(1)
    if not x.is_float and x.dtype not in _INTEGERS:
        raise Unsupported(f"element type {x.dtype}; f32, f16, i32 and i64 are supported")
    return matrix_product(b, x, y)


def matrix_product(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    """The product of two stacks of matrices, as NumPy broadcasts them."""
    result_shape = np.matmul(np.broadcast_to(np.int8(0), x.shape), np.broadcast_to(np.int8(0), y.shape)).shape
    if x.rank == 1:
        x = b.reshape(x, (1, *x.shape))
    if y.rank == 1:
        y = b.reshape(y, (*y.shape, 1))
    rows, inner = x.shape[-2:]
    columns = y.shape[-1]
    if y.rank == 2 and y.array is not None and x.is_float:
        flat = b.reshape(x, (x.size // inner, inner))
        return b.reshape(fully_connected(b, flat, y, _no_bias(columns, x.dtype)), result_shape)
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    count = int(np.prod(batch, dtype=np.int64))
    left = b.reshape(b.broadcast_to(x, (*batch, rows, inner)), (count, rows, inner))
    right = b.reshape(b.broadcast_to(y, (*batch, inner, columns)), (count, inner, columns))
    return b.reshape(b.matmul(left, right), result_shape)
