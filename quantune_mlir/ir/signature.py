"""The model's own signature: names, shapes and dtypes of the arguments of @main."""

from __future__ import annotations

from typing import Final

import numpy as np

from quantune_mlir.ir.attributes import NAME
from quantune_mlir.ir.mlir import ir
from quantune_mlir.ir.units import entry_block

_DTYPES: Final = {
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
    "i1": np.bool_,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
}


def names(function: ir.Operation, kind: str, count: int) -> list[str]:
    """The `quantune.name` of each argument (kind "arg_attrs") or result ("res_attrs"); "0", "1", ... without one."""
    found = [str(i) for i in range(count)]
    if kind in function.attributes:
        for i, attribute in enumerate(ir.ArrayAttr(function.attributes[kind])):
            dictionary = ir.DictAttr(attribute)
            if NAME in dictionary:
                found[i] = ir.StringAttr(dictionary[NAME]).value
    return found


def argument_specs(function: ir.Operation) -> list[tuple[str, tuple[int, ...], np.dtype]]:
    """Name, shape and dtype of each argument."""
    arguments = entry_block(function).arguments
    types = [ir.RankedTensorType(argument.type) for argument in arguments]
    return [
        (name, tuple(kind.shape), np.dtype(_DTYPES[str(kind.element_type)]))
        for name, kind in zip(names(function, "arg_attrs", len(arguments)), types, strict=True)
    ]
