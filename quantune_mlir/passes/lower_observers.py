"""quantune-lower-observers.

In:  a module with `quantune.observe` and `quantune.measure` ops.
Out: the same, these ops as dispatches of the observer kernels, which accumulate into module-level state:

    @main                       with observers, one more result: extremes of this run, tensor<rows x 2 x i32>
    @drain(i32)                 one row of the histograms, which is cleared: the buckets that hold something, ascending,
                                each with its count, tensor<? x 2 x i32>
    @energies                   signal and noise of every measured tensor, tensor<rows x 2 x f64>

The module's attributes `quantune.observed` and `quantune.measured` list the ops' attributes, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Final

import numpy as np

from quantune_mlir import resources
from quantune_mlir.ir import quantune_dialect
from quantune_mlir.ir.function import main_function
from quantune_mlir.ir.mlir import arith, flow, func, ir, tensor, util
from quantune_mlir.ir.units import entry_block
from quantune_mlir.numerics.histogram import BUCKETS
from quantune_mlir.passes.base import Pass

OBSERVED: Final = "quantune.observed"
MEASURED: Final = "quantune.measured"

_KERNELS: Final = ("observe", "drain", "measure_int8", "measure_fp32")
_HISTOGRAMS, _ENERGIES = "quantune_histograms", "quantune_energies"


@dataclass(frozen=True)
class LowerObservers(Pass):
    """Lower quantune.observe and quantune.measure to kernels that accumulate inside the program."""

    name: ClassVar[str] = "quantune-lower-observers"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        ops = [op.operation for op in entry_block(function)]
        observers = [op for op in ops if op.name == quantune_dialect.OBSERVE]
        measures = [op for op in ops if op.name == quantune_dialect.MEASURE]
        with module.context, ir.Location.unknown():
            _import_kernels(module)
            module.operation.attributes[OBSERVED] = _rows(observers)
            module.operation.attributes[MEASURED] = _rows(measures)
            if observers:
                _lower_observers(module, function, observers)
            if measures:
                _lower_measures(module, measures)


def _import_kernels(module: ir.Module) -> None:
    for name in _KERNELS:
        kernel = ir.Module.parse(resources.kernel_text(f"{name}.mlir"))
        with ir.InsertionPoint.at_block_begin(module.body):
            for executable in kernel.body.operations:
                executable.operation.clone()


def _lower_observers(module: ir.Module, function: ir.Operation, observers: Sequence[ir.Operation]) -> None:
    i32 = ir.IntegerType.get_signless(32)
    histograms = ir.RankedTensorType.get([len(observers), BUCKETS], i32)
    extremes = ir.RankedTensorType.get([len(observers), 2], i32)
    _global(module, _HISTOGRAMS, histograms)
    with ir.InsertionPoint(observers[0]):
        none_yet = arith.ConstantOp(extremes, ir.DenseElementsAttr.get_splat(extremes, _zero(i32))).result
        state = [util.GlobalLoadOp(histograms, _HISTOGRAMS).result, none_yet]
    for row, op in enumerate(observers):
        (source,) = op.operands
        with ir.InsertionPoint(op), op.location:
            constants = [_i32(_elements(source)), _i32(row)]
            state = _dispatch("quantune_observe", "observe", constants, [source], state)
        op.erase()
    terminator = entry_block(function).operations[len(entry_block(function).operations) - 1].operation
    with ir.InsertionPoint(terminator):
        util.GlobalStoreOp(state[0], _HISTOGRAMS)
        func.ReturnOp([*terminator.operands, state[1]])
    terminator.erase()
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(kind.inputs, [*kind.results, extremes]))
    if "res_attrs" in function.attributes:
        result_attributes = [*ir.ArrayAttr(function.attributes["res_attrs"]), ir.DictAttr.get({})]
        function.attributes["res_attrs"] = ir.ArrayAttr.get(result_attributes)
    _define_drain(module, histograms)


def _define_drain(module: ir.Module, histograms: ir.RankedTensorType) -> None:
    i32 = ir.IntegerType.get_signless(32)
    index = ir.IndexType.get()
    one, largest = ir.RankedTensorType.get([1], i32), ir.RankedTensorType.get([BUCKETS, 2], i32)
    dynamic = ir.ShapedType.get_dynamic_size()
    occupied = ir.RankedTensorType.get([dynamic, 2], i32)
    with ir.InsertionPoint(module.body):
        reader = func.FuncOp("drain", ([i32], [occupied]))
        with ir.InsertionPoint(reader.add_entry_block()):
            row = reader.arguments[0]
            state = util.GlobalLoadOp(histograms, _HISTOGRAMS).result
            cleared, number, pairs = _dispatch("quantune_drain", "drain", [row], [], [state], [one, largest])
            util.GlobalStoreOp(cleared, _HISTOGRAMS)
            zero = arith.ConstantOp(index, 0).result
            size = arith.IndexCastOp(index, tensor.ExtractOp(number, [zero]).result).result
            first = tensor.ExtractSliceOp(occupied, pairs, [], [size], [], [0, 0], [dynamic, 2], [1, 1]).result
            func.ReturnOp([first])


def _lower_measures(module: ir.Module, measures: Sequence[ir.Operation]) -> None:
    energies = ir.RankedTensorType.get([len(measures), 2], ir.F64Type.get())
    _global(module, _ENERGIES, energies)
    with ir.InsertionPoint(measures[0]):
        state = util.GlobalLoadOp(energies, _ENERGIES).result
    for row, op in enumerate(measures):
        reference, candidate = op.operands
        scale = np.float32(ir.FloatAttr(op.attributes["scale"]).value).view(np.int32)
        zero_point = ir.IntegerAttr(op.attributes["zero_point"]).value
        with ir.InsertionPoint(op), op.location:
            constants = [_i32(_elements(reference)), _i32(row), _i32(int(scale)), _i32(zero_point)]
            kernel = "measure_int8" if _element(candidate) == ir.IntegerType.get_signless(8) else "measure_fp32"
            (state,) = _dispatch(f"quantune_{kernel}", kernel, constants, [reference, candidate], [state])
            if op is measures[-1]:
                util.GlobalStoreOp(state, _ENERGIES)
        op.erase()
    with ir.InsertionPoint(module.body):
        reader = func.FuncOp("energies", ([], [energies]))
        with ir.InsertionPoint(reader.add_entry_block()):
            func.ReturnOp([util.GlobalLoadOp(energies, _ENERGIES).result])


def _dispatch(
    executable: str,
    entry: str,
    constants: list[ir.Value],
    sources: list[ir.Value],
    state: list[ir.Value],
    results: Sequence[ir.Type] = (),
) -> list[ir.Value]:
    """Calls a kernel that updates `state` in place; the updated state, then the results."""
    arguments = [*constants, *sources, *state]
    first = len(arguments) - len(state)
    index = ir.IndexType.get()
    places = [*(first + i for i in range(len(state))), *(-1 for _ in results)]
    tied = ir.ArrayAttr.get([ir.IntegerAttr.get(index, place) for place in places])
    entry_point = ir.ArrayAttr.get([ir.SymbolRefAttr.get([executable, entry])])
    types = [*(value.type for value in state), *results]
    return list(flow.DispatchOp(types, [], entry_point, arguments, [], [], tied_operands=tied).results)


def _global(module: ir.Module, name: str, kind: ir.RankedTensorType) -> None:
    zero = ir.DenseElementsAttr.get_splat(kind, _zero(kind.element_type))
    with ir.InsertionPoint.at_block_begin(module.body):
        util.GlobalOp(name, kind, sym_visibility="private", is_mutable=True, initial_value=zero)


def _zero(element: ir.Type) -> ir.Attribute:
    return ir.FloatAttr.get(element, 0.0) if isinstance(element, ir.F64Type) else ir.IntegerAttr.get(element, 0)


def _i32(value: int) -> ir.Value:
    return arith.ConstantOp(ir.IntegerType.get_signless(32), value).result


def _element(value: ir.Value) -> ir.Type:
    return ir.RankedTensorType(value.type).element_type


def _elements(value: ir.Value) -> int:
    return prod(ir.RankedTensorType(value.type).shape)


def _rows(ops: Sequence[ir.Operation]) -> ir.ArrayAttr:
    """What each row of the state belongs to: the attributes of the ops."""
    return ir.ArrayAttr.get([ir.DictAttr.get({a: op.attributes[a] for a in op.attributes}) for op in ops])
