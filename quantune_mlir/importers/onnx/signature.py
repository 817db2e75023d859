"""The model's own signature, with static shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.common.static_shapes import DeclaredInput, StaticShapes
from quantune_mlir.importers.onnx.stored import NUMBERS, type_name


@dataclass(frozen=True)
class ModelInput:
    """One input of the model."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]


def model_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs in the model's order, without those that are initializers."""
    stored = {t.name for t in graph.initializer}
    return [i for i in graph.input if i.name not in stored]


def input_parameters(graph: onnx.GraphProto, shapes: StaticShapes, where: str) -> list[ModelInput]:
    """The inputs with static shapes.

    Raises:
        DynamicShapesError: dimensions of unknown size, all of them at once.
        ModelError: no inputs, a shape for an unknown input, a shape that contradicts the model, or an input that is
            not a tensor of numbers.
    """
    inputs = model_inputs(graph)
    if not inputs:
        raise ModelError("the model has no inputs", where=where, remedy="give a model that computes something")
    shapes.check([i.name for i in inputs], where)
    types = [_checked_type(info, where) for info in inputs]
    static = shapes.of([_declared(info) for info in inputs], where)
    return [ModelInput(i.name, dtype, shape) for i, dtype, shape in zip(inputs, types, static, strict=True)]


def _checked_type(info: onnx.ValueInfoProto, where: str) -> np.dtype:
    kind = info.type.tensor_type.elem_type
    negative = [d.dim_value for d in info.type.tensor_type.shape.dim if d.dim_value < -1]
    if negative:
        raise ModelError(f"input {info.name!r} has a dimension of {negative[0]}", where=where, remedy="export it again")
    if not info.type.HasField("tensor_type") or kind not in NUMBERS:
        raise ModelError(
            f"input {info.name!r} is of {_type_name(info)}, which TOSA does not have",
            where=where,
            remedy="export the model with float32 inputs",
        )
    return _argument_type(kind)


def declared_shape(info: onnx.ValueInfoProto) -> Sequence[int | None] | None:
    """The dimensions that the model declares, None for dynamic ones: named, unnamed, or written -1; None: no shape."""
    kind = info.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in kind.shape.dim]


def _declared(info: onnx.ValueInfoProto) -> DeclaredInput:
    sizes = declared_shape(info)
    if sizes is None:
        return DeclaredInput(info.name, None)
    dimensions = info.type.tensor_type.shape.dim
    named = [d.dim_param or "?" if size is None else size for d, size in zip(dimensions, sizes, strict=True)]
    return DeclaredInput(info.name, named)


def _argument_type(element_type: int) -> np.dtype:
    """The element type of an argument: NumPy has no bfloat16, and TOSA no doubles."""
    if element_type in (onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE):
        return np.dtype(np.float32)
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element_type))


def _type_name(info: onnx.ValueInfoProto) -> str:
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        return str(kind).removesuffix("_type")
    return type_name(info.type.tensor_type.elem_type)
