"""The functions of a module."""

from __future__ import annotations

from quantune_mlir.errors import PassError
from quantune_mlir.mlir.bindings import ir


def main_function(module: ir.Module) -> ir.Operation:
    """The `func.func @main` of a module.

    Raises:
        PassError: the module has none, or its body is not a single block.
    """
    for op in module.body.operations:
        operation = op.operation
        if operation.name == "func.func" and function_name(operation) == "main":
            if len(operation.regions[0].blocks) != 1:
                raise PassError("function main must have a body of one block", where=str(operation.location))
            return operation
    raise PassError("the module has no function main", remedy="pass a module made by the importer")


def functions(module: ir.Module) -> list[ir.Operation]:
    """Every `func.func` of a module whose body is a single block."""
    found = (op.operation for op in module.body.operations)
    return [op for op in found if op.name == "func.func" and len(op.regions[0].blocks) == 1]


def function_name(function: ir.Operation) -> str:
    """The symbol of a `func.func`."""
    return ir.StringAttr(function.attributes["sym_name"]).value


def ops_named(function: ir.Operation, name: str) -> list[ir.Operation]:
    """The ops of this name in a function whose body is a single block, in order."""
    return [op.operation for op in function.regions[0].blocks[0] if op.operation.name == name]


def entry_block(function: ir.Operation) -> ir.Block:
    """The single block of a function."""
    return function.regions[0].blocks[0]
