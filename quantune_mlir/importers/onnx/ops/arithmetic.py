"""Arithmetic, comparisons, logic, Where and Cast."""

from __future__ import annotations

from functools import reduce

import numpy as np
import onnx

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.element_types import (
    converted,
    finite_mask,
    is_infinite,
    narrowed,
    require_supported,
    widened,
)

_UNARY_FLOAT = {"Exp": "exp", "Log": "log", "Reciprocal": "reciprocal"}
_VARIADIC = {"Min": "minimum", "Max": "maximum", "Sum": "add", "Mean": "add"}


def _widened_inputs(b: Builder, node: Node) -> list[Tensor]:
    tensors = [widened(b, node.input(i)) for i in range(len(node.inputs))]
    if len({t.dtype for t in tensors}) > 1:
        raise Unsupported("inputs of different element types: " + ", ".join(str(t.dtype) for t in tensors))
    return tensors


@operator("Add", "Sub", "Mul", "Div", since=7)
def arithmetic(b: Builder, node: Node) -> Tensor:
    x, y = _widened_inputs(b, node)
    if node.op_type in ("Add", "Sub"):
        x, y = finite_mask(x), finite_mask(y)
    emit = {"Add": b.add, "Sub": b.sub, "Mul": b.mul, "Div": lambda p, q: _divide(b, p, q)}[node.op_type]
    return narrowed(b, emit(x, y), node.input(0).dtype)


def _divide(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    if not x.is_float:
        return b.binary("intdiv", x, y)
    if y.array is not None:
        with np.errstate(divide="ignore", over="ignore"):
            return b.mul(x, Tensor.constant((1 / y.array.astype(np.float64)).astype(y.dtype)))
    return b.mul(x, b.unary("reciprocal", y))


@operator("Min", "Max", "Sum", "Mean")
def variadic(b: Builder, node: Node) -> Tensor:
    tensors = _widened_inputs(b, node)
    result = reduce(lambda x, y: b.binary(_VARIADIC[node.op_type], x, y), tensors)
    if node.op_type == "Mean":
        result = b.scaled(result, 1 / len(tensors))
    return narrowed(b, result, node.input(0).dtype)


@operator("Exp", "Log", "Reciprocal")
def unary_float(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    require_supported(x.dtype)
    return b.unary(_UNARY_FLOAT[node.op_type], x)


@operator("Floor", "Ceil")
def rounding(b: Builder, node: Node) -> Tensor:
    return b.unary("floor" if node.op_type == "Floor" else "ceil", node.input(0))


@operator("Abs", "Neg")
def signed(b: Builder, node: Node) -> Tensor:
    x = widened(b, node.input(0))
    if node.input(0).is_unsigned and node.op_type == "Abs":
        return node.input(0)
    return narrowed(b, b.unary("abs", x) if node.op_type == "Abs" else b.negate(x), node.input(0).dtype)


@operator("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", since=7)
def comparison(b: Builder, node: Node) -> Tensor:
    if node.input(0).dtype == np.bool_:
        x, y = node.input(0), node.input(1)
        return b.logical_not(b.binary("logical_xor", x, y))
    x, y = _widened_inputs(b, node)
    for constant, other in ((x, y), (y, x)):
        if node.op_type == "Equal" and constant.array is not None and constant.size == 1 and other.is_float:
            value = float(constant.array.reshape(()))
            if np.isinf(value):
                shape = np.broadcast_shapes(x.shape, y.shape)
                return b.reshape(is_infinite(b, other, positive=value > 0), shape)
    if node.op_type.startswith("Less"):
        x, y = y, x
    name = {"Equal": "equal", "Greater": "greater", "Less": "greater"}.get(node.op_type, "greater_equal")
    return b.compare(name, x, y)


@operator("And", "Or", "Xor", since=7)
def logic(b: Builder, node: Node) -> Tensor:
    name = {"And": "logical_and", "Or": "logical_or", "Xor": "logical_xor"}[node.op_type]
    return b.binary(name, node.input(0), node.input(1))


@operator("Not")
def logical_not(b: Builder, node: Node) -> Tensor:
    return b.logical_not(node.input(0))


@operator("Where")
def where(b: Builder, node: Node) -> Tensor:
    require_supported(node.input(1).dtype)
    return b.select(node.input(0), finite_mask(node.input(1)), finite_mask(node.input(2)))


@operator("Cast")
def cast(b: Builder, node: Node) -> Tensor:
    target = onnx.helper.tensor_dtype_to_np_dtype(node.attributes["to"])
    return converted(b, node.input(0), np.dtype(target))


@operator("CastLike")
def cast_like(b: Builder, node: Node) -> Tensor:
    return converted(b, node.input(0), node.input(1).dtype)
