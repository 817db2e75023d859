"""The model's own signature: names, shapes and dtypes of the arguments of @main."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from quantune_mlir.mlir.attributes import EDITS, ELEMENT_TYPE, MODEL, NAME
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import DTYPES
from quantune_mlir.mlir.function import entry_block

_UNSIGNED: Final = {f"uint{bits}": np.dtype(f"u{bits // 8}") for bits in (8, 16, 32, 64)}


def names(function: ir.Operation, kind: str, count: int) -> list[str]:
    """The `quantune.name` of each argument (kind "arg_attrs") or result ("res_attrs"); "0", "1", ... without one."""
    return [name or str(i) for i, name in enumerate(_strings(function, kind, count, NAME))]


def _strings(function: ir.Operation, kind: str, count: int, key: str) -> list[str | None]:
    """The string attribute `key` of each argument or result, None where there is none."""
    if kind not in function.attributes:
        return [None] * count
    rows = [ir.DictAttr(attribute) for attribute in ir.ArrayAttr(function.attributes[kind])]
    return [ir.StringAttr(row[key]).value if key in row else None for row in rows]


def argument_specs(function: ir.Operation) -> list[tuple[str, tuple[int, ...], np.dtype]]:
    """Name, shape and dtype of each argument; an unsigned type as the model has it."""
    return _specs(function, "arg_attrs", [argument.type for argument in entry_block(function).arguments])


def result_specs(function: ir.Operation) -> list[tuple[str, tuple[int, ...], np.dtype]]:
    """Name, shape and dtype of each result, as `argument_specs` has them."""
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    return _specs(function, "res_attrs", kind.results)


def specs_of(
    function: ir.Operation,
) -> tuple[list[tuple[str, tuple[int, ...], np.dtype]], list[tuple[str, tuple[int, ...], np.dtype]]]:
    """Name, shape and dtype of the arguments and of the results of a function that need not have a body."""
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    return _specs(function, "arg_attrs", kind.inputs), _specs(function, "res_attrs", kind.results)


def _specs(
    function: ir.Operation, attributes: str, types: Sequence[ir.Type]
) -> list[tuple[str, tuple[int, ...], np.dtype]]:
    tensors = [ir.RankedTensorType(each) for each in types]
    told = _strings(function, attributes, len(tensors), ELEMENT_TYPE)
    return [
        (name, tuple(kind.shape), _UNSIGNED.get(element or "", DTYPES[str(kind.element_type)]))
        for name, kind, element in zip(names(function, attributes, len(tensors)), tensors, told, strict=True)
    ]


def model_edits(module: ir.Module) -> str | None:
    """What was changed in the model before it was imported, as JSON; None: nothing."""
    attribute = module.operation.attributes.get(EDITS, None)
    return attribute.value if isinstance(attribute, ir.StringAttr) else None


def model_hash(module: ir.Operation) -> str | None:
    """The hash of the model that a module was imported from, if it says."""
    attribute = module.attributes.get(MODEL, None)
    return attribute.value if isinstance(attribute, ir.StringAttr) else None
