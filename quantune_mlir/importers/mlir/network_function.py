"""The function of a module that is the network, and what its inputs and outputs are called."""

from __future__ import annotations

from collections.abc import Sequence

from quantune_mlir.errors import ModelError
from quantune_mlir.mlir.attributes import NAME
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import function_name, functions
from quantune_mlir.mlir.location_names import location_names


def chosen_function(module: ir.Module, where: str) -> ir.Operation:
    """`@main`, else the only function; static, with a body of one block.

    Raises:
        ModelError: there is none such, or it has dynamic shapes.
    """
    found = functions(module)
    named = [function for function in found if function_name(function) == "main"] or found
    if len(named) != 1:
        names = ", ".join(f"@{function_name(function)}" for function in named) or "none"
        raise ModelError(
            f"the network is the func.func @main, or the only one; here there are: {names}",
            where=where,
            remedy="remove the others, or call the network's function main",
        )
    for number, argument in enumerate(named[0].regions[0].blocks[0].arguments):
        kind = argument.type
        if not isinstance(kind, ir.RankedTensorType) or not kind.has_static_shape:
            raise ModelError(
                f"input {number} is of type {kind}; the importer needs tensors of static shape",
                where=where,
                remedy="export the model with static shapes, or give the model that the module was made from",
            )
    return named[0]


def input_names(function: ir.Operation) -> list[str]:
    """Their `quantune.name`, else the names of their locations, else input0, input1 and so on; each once."""
    arguments = function.regions[0].blocks[0].arguments
    located = [next(iter(location_names(argument.location)), None) for argument in arguments]
    return _distinct(_told(function, "arg_attrs", len(arguments)), located, "input")


def output_names(function: ir.Operation) -> list[str]:
    """Their `quantune.name`, else output0, output1 and so on."""
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    return _distinct(_told(function, "res_attrs", len(kind.results)), [None] * len(kind.results), "output")


def _told(function: ir.Operation, attribute: str, count: int) -> list[str | None]:
    if attribute not in function.attributes:
        return [None] * count
    rows = [ir.DictAttr(row) for row in ir.ArrayAttr(function.attributes[attribute])]
    return [ir.StringAttr(row[NAME]).value if NAME in row else None for row in rows]


def _distinct(told: Sequence[str | None], located: Sequence[str | None], stem: str) -> list[str]:
    names: list[str] = []
    for number, pair in enumerate(zip(told, located, strict=True)):
        name = next((each for each in pair if each and each not in names), f"{stem}{number}")
        names.append(name)
    return names
