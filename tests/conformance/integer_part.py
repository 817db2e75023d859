"""Cuts the integer part out of a mixed module, so that it can be compared bit for bit, whatever fp32 does around it."""

from __future__ import annotations

from dataclasses import dataclass

from quantune_mlir.mlir.bindings import func, ir
from quantune_mlir.mlir.constants import is_float
from quantune_mlir.mlir.edit import copy_module
from quantune_mlir.mlir.function import entry_block, main_function


@dataclass(frozen=True)
class IntegerPart:
    """A module from fp32 to integers and back, seen as the integers only.

    Attributes:
        probed: the whole module, whose `@main` also returns `entries` tensors that were just quantized and then
            `exits` integer tensors that are about to be dequantized.
        alone: text of a module of integer ops only, from the entries to those exits that are not entries.
        exit_indices: which of the exits `alone` returns.
    """

    probed: ir.Module
    alone: str
    entries: int
    exits: int
    exit_indices: list[int]


def integer_part(mixed: ir.Module) -> IntegerPart:
    """The integer part of a module that quantune-quantize made."""
    probed = copy_module(mixed)
    function = main_function(probed)
    block = entry_block(function)
    ops = [op.operation for op in block]
    casts = [op for op in ops if op.name == "tosa.cast"]
    entries = [op.results[0] for op in casts if is_float(op.operands[0]) and not is_float(op.results[0])]
    exits = list(dict.fromkeys(op.operands[0] for op in casts if is_float(op.results[0])))
    alone = _alone(ops, entries, [value for value in exits if value not in entries])
    with probed.context, ops[-1].location:
        with ir.InsertionPoint(ops[-1]):
            results = [*ops[-1].operands, *entries, *exits]
            func.ReturnOp(results)
        ops[-1].erase()
        kind = ir.FunctionType.get([a.type for a in block.arguments], [value.type for value in results])
        function.attributes["function_type"] = ir.TypeAttr.get(kind)
    if "res_attrs" in function.attributes:
        del function.attributes["res_attrs"]
    indices = [i for i, value in enumerate(exits) if value not in entries]
    return IntegerPart(probed, alone, len(entries), len(exits), indices)


def _alone(ops: list[ir.Operation], entries: list[ir.Value], exits: list[ir.Value]) -> str:
    with ops[0].context, ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            function = func.FuncOp("main", ([v.type for v in entries], [v.type for v in exits]))
        block = function.add_entry_block()
        twins = dict(zip(entries, block.arguments, strict=True))
        with ir.InsertionPoint(block):
            for op in ops[:-1]:
                if op.results[0] in twins or not all(v in twins for v in op.operands) or _is_float_tensor(op):
                    continue
                attributes = {name: op.attributes[name] for name in op.attributes}
                results = [result.type for result in op.results]
                twin = ir.Operation.create(op.name, results, [twins[v] for v in op.operands], attributes)
                twins[op.results[0]] = twin.results[0]
            func.ReturnOp([twins[value] for value in exits])
        module.operation.verify()
        return module.operation.get_asm(print_generic_op_form=True)


def _is_float_tensor(op: ir.Operation) -> bool:
    kind = op.results[0].type
    return isinstance(kind, ir.RankedTensorType) and isinstance(kind.element_type, ir.F32Type)
