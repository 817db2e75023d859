"""Kernels that are written as MLIR text, and calls of them."""

from __future__ import annotations

from collections.abc import Sequence

from quantune_mlir.mlir.bindings import arith, flow, ir


def import_text(module: ir.Module, text: str) -> None:
    """Puts the ops of an MLIR text at the beginning of a module."""
    parsed = ir.Module.parse(text, module.context)
    with ir.InsertionPoint.at_block_begin(module.body):
        for op in parsed.body.operations:
            op.operation.clone()


def dispatch(
    executable: str,
    entry: str,
    arguments: Sequence[ir.Value],
    state: Sequence[ir.Value],
    results: Sequence[ir.Type] = (),
) -> list[ir.Value]:
    """Calls a kernel that updates `state` in place; the updated state, then the results."""
    first = len(arguments)
    index = ir.IndexType.get()
    places = [*(first + i for i in range(len(state))), *(-1 for _ in results)]
    tied = ir.ArrayAttr.get([ir.IntegerAttr.get(index, place) for place in places])
    entry_point = ir.ArrayAttr.get([ir.SymbolRefAttr.get([executable, entry])])
    types = [*(value.type for value in state), *results]
    return list(flow.DispatchOp(types, [], entry_point, [*arguments, *state], [], [], tied_operands=tied).results)


def i32(value: int) -> ir.Value:
    """A constant."""
    return arith.ConstantOp(ir.IntegerType.get_signless(32), value).result
