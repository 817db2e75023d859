"""The model's own signature, with static shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.onnx.stored import NUMBERS, type_name
from quantune_mlir.mlir.constants import check_shape

Shape = Sequence[int]


@dataclass(frozen=True)
class Parameter:
    """One input of the model."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]


@dataclass(frozen=True)
class StaticShapes:
    """What dynamic dimensions become.

    Attributes:
        batch: the size of a dynamic first dimension.
        given: whole shapes by input name.
        samples: shapes of arrays of samples by input name, from which a shape that is not given is taken.
    """

    batch: int
    given: Mapping[str, Shape]
    samples: Mapping[str, Shape]


class DynamicShapesError(ModelError):
    """Inputs have dimensions that nothing tells the size of."""


def model_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs in the model's order, without those that are initializers."""
    stored = {t.name for t in graph.initializer}
    return [i for i in graph.input if i.name not in stored]


def input_parameters(graph: onnx.GraphProto, shapes: StaticShapes, where: str) -> list[Parameter]:
    """The inputs with static shapes.

    Raises:
        DynamicShapesError: dimensions of unknown size, all of them at once.
        ModelError: no inputs, a shape for an unknown input, a shape that contradicts the model, or an input that is
            not a tensor of numbers.
    """
    inputs = model_inputs(graph)
    if not inputs:
        raise ModelError("the model has no inputs", where=where, remedy="give a model that computes something")
    names = [i.name for i in inputs]
    for name in shapes.given:
        if name not in names:
            raise ModelError(f"there is no input {name!r}", where=where, remedy=f"the inputs are {', '.join(names)}")
    types = [_checked_type(info, where) for info in inputs]
    found = [_shape(info, shapes, where) for info in inputs]
    unknown = [info for info, shape in zip(inputs, found, strict=True) if shape is None]
    if unknown:
        raise _dynamic(unknown, shapes.batch, where)
    for name, shape in zip(names, found, strict=True):
        try:
            check_shape(shape or ())
        except ValueError as error:
            raise ModelError(f"input {name!r}: {error}", where=where, remedy="give a smaller shape") from error
    return [Parameter(name, dtype, shape or ()) for name, dtype, shape in zip(names, types, found, strict=True)]


def _checked_type(info: onnx.ValueInfoProto, where: str) -> np.dtype:
    kind = info.type.tensor_type.elem_type
    if not info.type.HasField("tensor_type") or kind not in NUMBERS or kind == onnx.TensorProto.DOUBLE:
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


def _shape(info: onnx.ValueInfoProto, shapes: StaticShapes, where: str) -> tuple[int, ...] | None:
    """The static shape of an input; None where nothing tells it."""
    declared = declared_shape(info)
    given = shapes.given.get(info.name)
    if given is not None:
        return _fitting(info.name, declared, given, where)
    found = _from_samples(declared, shapes.samples.get(info.name), shapes.batch)
    if found is None or None in found:
        return None
    if 0 in found:
        remedy = f"give its shape: {_shape_option(info, shapes.batch)}"
        raise ModelError(f"input {info.name!r} has no elements", where=where, remedy=remedy)
    return tuple(size for size in found if size is not None)


def _fitting(name: str, declared: Sequence[int | None] | None, given: Shape, where: str) -> tuple[int, ...]:
    known = [None] * len(given) if declared is None else declared
    fits = len(known) == len(given) and all(k in (None, s) for k, s in zip(known, given, strict=True))
    if not fits or min(given, default=1) < 1:
        wanted = "x".join("?" if k is None else str(k) for k in known)
        raise ModelError(
            f"the shape {'x'.join(map(str, given))} does not fit input {name!r}, which is {wanted}",
            where=where,
            remedy="give a number for each '?', and the others as they are",
        )
    return tuple(int(s) for s in given)


def _from_samples(
    declared: Sequence[int | None] | None, samples: Shape | None, batch: int
) -> Sequence[int | None] | None:
    """Dynamic dimensions from the batch and from an array whose first axis is the samples.

    An array with one axis more than the input holds one whole input per entry.
    """
    if declared is None:
        return None if not samples else [batch, *samples[1:]]
    pinned = list(declared)
    if samples is not None and len(samples) == len(declared) + 1:
        pinned = [samples[1 + i] if size is None else size for i, size in enumerate(declared)]
    elif samples is not None and len(samples) == len(declared):
        pinned = [samples[i] if size is None and i else size for i, size in enumerate(declared)]
    if pinned and pinned[0] is None:
        pinned[0] = batch
    return pinned


def _dynamic(inputs: Sequence[onnx.ValueInfoProto], batch: int, where: str) -> DynamicShapesError:
    listing = "; ".join(f"input {i.name!r} {_described(i)}" for i in inputs)
    options = " ".join(_shape_option(i, batch) for i in inputs)
    return DynamicShapesError(
        f"{listing}",
        where=where,
        remedy=f"give the shapes, with numbers for what is in capitals: {options}",
    )


def _described(info: onnx.ValueInfoProto) -> str:
    declared = declared_shape(info)
    if declared is None:
        return "has no shape"
    dimensions = info.type.tensor_type.shape.dim
    symbols = [d.dim_param or "?" for d, size in zip(dimensions, declared, strict=True) if size is None]
    return f"has dynamic dimensions: {', '.join(symbols)}"


def _shape_option(info: onnx.ValueInfoProto, batch: int) -> str:
    """The --shape option of an input, with the sizes that the model has and capitals for those that it has not."""
    sizes = declared_shape(info)
    if sizes is None:
        return f"--shape {info.name}=N"
    names = [d.dim_param.upper() for d in info.type.tensor_type.shape.dim]
    words = [
        str(size) if size else str(batch) if i == 0 else name if name.isidentifier() else f"N{i}"
        for i, (size, name) in enumerate(zip(sizes, names, strict=True))
    ]
    return f"--shape {info.name}={'x'.join(words)}"


def _argument_type(element_type: int) -> np.dtype:
    """The element type of an argument; NumPy has no bfloat16."""
    if element_type == onnx.TensorProto.BFLOAT16:
        return np.dtype(np.float32)
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element_type))


def _type_name(info: onnx.ValueInfoProto) -> str:
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        return str(kind).removesuffix("_type")
    return type_name(info.type.tensor_type.elem_type)
