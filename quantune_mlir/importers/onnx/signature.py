"""The model's own signature, with static shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from quantune_mlir.errors import ModelError


@dataclass(frozen=True)
class Parameter:
    """One input of the model."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]


def input_parameters(
    graph: onnx.GraphProto, *, batch: int, shapes: Mapping[str, Sequence[int]] | None, where: str
) -> list[Parameter]:
    """The inputs in the model's order, without those that are initializers.

    A symbolic first dimension becomes `batch`; `shapes` overrides whole shapes by input name.

    Raises:
        ModelError: no inputs, a shape for an unknown input, a shape that contradicts the model, other symbolic
            dimensions, or an input that is not a tensor of numbers.
    """
    stored = {t.name for t in graph.initializer}
    inputs = [i for i in graph.input if i.name not in stored]
    if not inputs:
        raise ModelError("the model has no inputs", where=where, remedy="give a model that computes something")
    names = [i.name for i in inputs]
    for name in shapes or {}:
        if name not in names:
            raise ModelError(f"there is no input {name!r}", where=where, remedy=f"the inputs are {', '.join(names)}")
    return [_parameter(i, batch, (shapes or {}).get(i.name), where) for i in inputs]


def _parameter(info: onnx.ValueInfoProto, batch: int, override: Sequence[int] | None, where: str) -> Parameter:
    name, kind = info.name, info.type.tensor_type
    dtype = _argument_type(kind.elem_type)
    if not info.type.HasField("tensor_type") or dtype.kind not in "biuf" or dtype == np.float64:
        raise ModelError(
            f"input {name!r} is of {_type_name(info)}, which TOSA does not have",
            where=where,
            remedy="export the model with float32 inputs",
        )
    remedy = f"give its shape: --shape {name}=1x3x224x224 (with this input's own sizes)"
    if not kind.HasField("shape") and override is None:
        raise ModelError(f"input {name!r} has no shape", where=where, remedy=remedy)
    declared = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    if override is not None:
        known = declared if kind.HasField("shape") else [None] * len(override)
        fits = len(known) == len(override) and all(k in (None, s) for k, s in zip(known, override, strict=True))
        if not fits or min(override, default=1) < 1:
            wanted = "x".join("?" if k is None else str(k) for k in known)
            raise ModelError(
                f"the shape {'x'.join(map(str, override))} does not fit input {name!r}, which is {wanted}",
                where=where,
                remedy=remedy,
            )
        return Parameter(name, dtype, tuple(int(s) for s in override))
    if declared and declared[0] is None:
        declared[0] = batch
    if None in declared:
        symbols = [d.dim_param or "?" for d in kind.shape.dim if not d.HasField("dim_value")]
        raise ModelError(f"input {name!r} has dynamic dimensions: {', '.join(symbols)}", where=where, remedy=remedy)
    if 0 in declared:
        raise ModelError(f"input {name!r} has no elements", where=where, remedy=remedy)
    return Parameter(name, dtype, tuple(d for d in declared if d is not None))


def _argument_type(element_type: int) -> np.dtype:
    """The element type of an argument; NumPy has no bfloat16."""
    if element_type == onnx.TensorProto.BFLOAT16:
        return np.dtype(np.float32)
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element_type))
    except KeyError:
        return np.dtype(object)


def _type_name(info: onnx.ValueInfoProto) -> str:
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        return str(kind).removesuffix("_type")
    return onnx.TensorProto.DataType.Name(info.type.tensor_type.elem_type).lower()
