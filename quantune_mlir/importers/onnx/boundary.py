"""Where the model's own element types meet those that are computed in: a cast at an input or output of fp16."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.floats import computed_type
from quantune_mlir.mlir import attributes
from quantune_mlir.mlir.bindings import ir


def computed_input(b: Builder, name: str, x: Tensor) -> Tensor:
    """An input of the model in the type that its values are computed in."""
    return _cast(b, name, x, computed_type(x.dtype))


def declared_output(b: Builder, info: onnx.ValueInfoProto, x: Tensor) -> Tensor:
    """An output of the model in the type that the model gives it."""
    is_half = info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    return _cast(b, info.name, x, np.dtype(np.float16) if is_half and x.dtype == np.float32 else x.dtype)


def _cast(b: Builder, name: str, x: Tensor, dtype: np.dtype) -> Tensor:
    if x.dtype == dtype:
        return x
    if x.array is not None:
        return Tensor.constant(x.array.astype(dtype))
    with b.importing(f"{name}:Cast", "Cast"):
        return b.cast(x, dtype)


def signature(names: Sequence[str], tensors: Sequence[Tensor]) -> ir.ArrayAttr:
    """The attributes of arguments or results: their names, and the NumPy types of unsigned integers."""
    return ir.ArrayAttr.get([ir.DictAttr.get(_described(n, t)) for n, t in zip(names, tensors, strict=True)])


def _described(name: str, tensor: Tensor) -> dict[str, ir.Attribute]:
    described: dict[str, ir.Attribute] = {attributes.NAME: ir.StringAttr.get(name)}
    if tensor.is_unsigned:
        described[attributes.ELEMENT_TYPE] = ir.StringAttr.get(tensor.dtype.name)
    return described
