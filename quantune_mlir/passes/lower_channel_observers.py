"""quantune-lower-channel-observers.

In:  a module with `quantune.observe_channels` ops.
Out: the same, these ops as dispatches of one kernel. @main has one more result, tensor<3 x channels x f32>: sum,
     minimum and maximum of each channel in this run, the tensors side by side.

The module's attribute `quantune.channels` lists the tensors, each with the number of its channels and of the elements
in each. Observers that add results of their own are lowered after this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Final

from quantune_mlir import resources
from quantune_mlir.ir import quantune_dialect
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.mlir import arith, flow, func, ir
from quantune_mlir.ir.units import entry_block
from quantune_mlir.passes.base import Pass

CHANNELS: Final = "quantune.channels"


@dataclass(frozen=True)
class LowerChannelObservers(Pass):
    """Lower quantune.observe_channels to a kernel whose results @main returns."""

    name: ClassVar[str] = "quantune-lower-channel-observers"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        found = [op.operation for op in entry_block(function)]
        observers = [op for op in found if op.name == quantune_dialect.OBSERVE_CHANNELS]
        with module.context, ir.Location.unknown():
            module.operation.attributes[CHANNELS] = ir.ArrayAttr.get([_describe(op) for op in observers])
            if observers:
                _import_kernel(module)
                _add_result(function, _lower(observers))


def _describe(op: ir.Operation) -> ir.DictAttr:
    i64 = ir.IntegerType.get_signless(64)
    rows, channels = _size(op.operands[0])
    return ir.DictAttr.get(
        {
            "tensor_name": op.attributes["tensor_name"],
            "rows": ir.IntegerAttr.get(i64, rows),
            "channels": ir.IntegerAttr.get(i64, channels),
        }
    )


def _import_kernel(module: ir.Module) -> None:
    kernel = ir.Module.parse(resources.kernel_text("observe_channels.mlir"))
    with ir.InsertionPoint.at_block_begin(module.body):
        for executable in kernel.body.operations:
            executable.operation.clone()


def _lower(observers: Sequence[ir.Operation]) -> ir.Value:
    """The state after the last dispatch."""
    f32 = ir.F32Type.get()
    total = sum(_size(op.operands[0])[1] for op in observers)
    kind = ir.RankedTensorType.get([3, total], f32)
    with ir.InsertionPoint(observers[0]):
        zeros = ir.DenseElementsAttr.get_splat(kind, ir.FloatAttr.get(f32, 0.0))
        state = arith.ConstantOp(kind, zeros).result
    place = 0
    for op in observers:
        (source,) = op.operands
        rows, channels = _size(source)
        with ir.InsertionPoint(op), op.location:
            arguments = [*(_i32(number) for number in (rows, channels, place, total)), source, state]
            state = _dispatch(arguments, kind)
        place += channels
        op.erase()
    return state


def _dispatch(arguments: list[ir.Value], kind: ir.Type) -> ir.Value:
    """Calls the kernel, which updates its last argument in place."""
    last = ir.IntegerAttr.get(ir.IndexType.get(), len(arguments) - 1)
    entry = ir.ArrayAttr.get([ir.SymbolRefAttr.get(["quantune_observe_channels", "observe_channels"])])
    return flow.DispatchOp([kind], [], entry, arguments, [], [], tied_operands=ir.ArrayAttr.get([last])).results[0]


def _add_result(function: ir.Operation, value: ir.Value) -> None:
    *_, terminator = (op.operation for op in entry_block(function))
    with ir.InsertionPoint(terminator):
        func.ReturnOp([*terminator.operands, value])
    terminator.erase()
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    results = [*kind.results, value.type]
    function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(kind.inputs, results))
    if "res_attrs" in function.attributes:
        attributes = [*ir.ArrayAttr(function.attributes["res_attrs"]), ir.DictAttr.get({})]
        function.attributes["res_attrs"] = ir.ArrayAttr.get(attributes)


def _i32(value: int) -> ir.Value:
    return arith.ConstantOp(ir.IntegerType.get_signless(32), value).result


def _size(value: ir.Value) -> tuple[int, int]:
    """Rows and channels of a tensor."""
    *rows, channels = ir.RankedTensorType(value.type).shape
    return prod(rows), channels
