"""quantune-lower-observers.

In:  a module with `quantune.observe`, `quantune.observe_channels`, `quantune.measure` and `quantune.project` ops.
Out: the same, these ops as dispatches of the observer kernels, which accumulate into module-level state:

    @main        with observers, one more result: the extremes of this run, tensor<rows x 2 x i32>, as keys
                 (kernels/texts/observe.mlir)
    @drain(i32)  the histograms from this row on, as many as there is room for: the buckets that hold something,
                 ascending, each with its count, row after row, tensor<room x 2 x i32>; and the number of these of each
                 row, -1 if it was not read, tensor<rows x i32>
    @channels    exact sums, minima and maxima of all observed channels, the tensors side by side,
                 tensor<channels x 16 x i64>, tensor<channels x f32> twice
    @energies    signal and noise of every measured tensor and projected layer, tensor<rows x 2 x f64>

What the other functions return is cleared. The module's attributes `quantune.observed`, `quantune.channels` and
`quantune.measured` list what the rows belong to: the ops' attributes, for channels also their number and how many
elements each has, for measures also whether @main has them (`every_run`), not only another function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, gcd, inf, prod
from typing import ClassVar, Final

import numpy as np

from quantune_mlir.files import resources
from quantune_mlir.kernels.families.observers import LANES, MEASURE, OBSERVE, OBSERVE_CHANNELS, PROJECT, Observer
from quantune_mlir.mlir.bindings import arith, func, ir
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.mlir.dialects.quantune import (
    KEPT,
    MADE,
    PROJECTED,
    PROJECTED_LANES,
    PROJECTED_ROUNDING,
    PROJECTED_ROUNDING_LANES,
    ROUNDED,
    Noise,
)
from quantune_mlir.mlir.function import entry_block, functions, main_function, ops_named
from quantune_mlir.numerics.channels import BINS
from quantune_mlir.numerics.histogram import BUCKETS
from quantune_mlir.passes.calibrate.kernel_calls import dispatch, i32, import_text
from quantune_mlir.passes.calibrate.observer_state import Global, ObservedOp, ObservedOps, define_reader, lower_observed
from quantune_mlir.pipeline.base import Pass

OBSERVED: Final = "quantune.observed"
CHANNELS: Final = "quantune.channels"
MEASURED: Final = "quantune.measured"
EVERY_RUN: Final = "every_run"
_PROJECTIONS: Final[dict[str, tuple[Noise, Noise, int]]] = {
    MADE: (PROJECTED, PROJECTED_LANES, 0),
    KEPT: (PROJECTED, PROJECTED_LANES, 1),
    ROUNDED: (PROJECTED_ROUNDING, PROJECTED_ROUNDING_LANES, 0),
}
"""By the part of a projection: the rows that it is in, and which of the two inner products of a row it is."""
_ROWS_OF_ROOM: Final = 4
"""Room for what @drain returns at once, in rows all buckets of which hold something; few of them do."""
_BLOCK: Final = 16
_MOST_COUNTED: Final = 1 << 11
"""Elements of a tensor that are counted in one run: counting takes ten times as long as finding the extremes."""


@dataclass(frozen=True)
class LowerObservers(Pass):
    """Lower quantune.observe, observe_channels, measure and project to kernels that accumulate inside the program."""

    name: ClassVar[str] = "quantune-lower-observers"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        observers, channels = (ops_named(function, name) for name in (quantune.OBSERVE, quantune.OBSERVE_CHANNELS))
        with module.context, ir.Location.unknown():
            module.operation.attributes[OBSERVED] = ir.ArrayAttr.get([_attributes(op) for op in observers])
            module.operation.attributes[CHANNELS] = ir.ArrayAttr.get([_channel_attributes(op) for op in channels])
            if observers:
                _lower_observers(module, function, observers)
            if channels:
                _lower_channels(module, function, channels)
            _lower_comparisons(module)


def counting_stride(elements: int) -> int:
    """Which blocks of 16 elements of a tensor are counted: every n-th; this n.

    No more than some thousand elements are. The stride has no divisor in common with the number of blocks, so that the
    blocks meet all channels alike, and all columns: these numbers of blocks divide that of the tensor.
    """
    blocks = elements // _BLOCK
    stride = max(1, ceil(elements / _MOST_COUNTED))
    while gcd(stride, blocks) > 1:
        stride += 1
    return stride


def _lower_observers(module: ir.Module, function: ir.Operation, observers: Sequence[ir.Operation]) -> None:
    integer = ir.IntegerType.get_signless(32)
    histograms = Global.of(module, "quantune_histograms", [len(observers), BUCKETS], integer)
    extreme_keys = ir.RankedTensorType.get([len(observers), 2], integer)
    observed = [
        ObservedOp(row, op, (row, counting_stride(prod(_size(op.operands[0]))))) for row, op in enumerate(observers)
    ]
    with ir.InsertionPoint.at_block_begin(entry_block(function)):
        nothing = ir.DenseElementsAttr.get_splat(extreme_keys, ir.IntegerAttr.get(integer, 0))
        state = [histograms.load(), arith.ConstantOp(extreme_keys, nothing).result]
    ((counted, extremes),) = lower_observed(module, [ObservedOps({OBSERVE: observed}, state)])
    terminator = _terminator(function)
    with ir.InsertionPoint(terminator):
        histograms.store(counted)
        func.ReturnOp([*terminator.operands, extremes])
    terminator.erase()
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    results = [*kind.results, extreme_keys]
    function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(kind.inputs, results))
    if "res_attrs" in function.attributes:
        result_attributes = [*ir.ArrayAttr(function.attributes["res_attrs"]), ir.DictAttr.get({})]
        function.attributes["res_attrs"] = ir.ArrayAttr.get(result_attributes)
    _define_drain(module, histograms)


def _define_drain(module: ir.Module, histograms: Global) -> None:
    integer = ir.IntegerType.get_signless(32)
    rows = histograms.type.shape[0]
    room = min(rows, _ROWS_OF_ROOM) * BUCKETS
    results = [ir.RankedTensorType.get(shape, integer) for shape in ([room, 2], [rows])]
    import_text(module, resources.kernel_text("drain.mlir"))
    with ir.InsertionPoint(module.body):
        reader = func.FuncOp("drain", ([integer], results))
        with ir.InsertionPoint(reader.add_entry_block()):
            arguments = [reader.arguments[0], i32(rows), i32(room)]
            cleared, *found = dispatch("quantune_drain", "drain", arguments, [histograms.load()], results)
            histograms.store(cleared)
            func.ReturnOp(found)


def _lower_channels(module: ir.Module, function: ir.Operation, observers: Sequence[ir.Operation]) -> None:
    channels = [_size(op.operands[0])[1] for op in observers]
    total = sum(channels)
    parts = [
        Global.of(module, "quantune_channel_bins", [total, BINS], ir.IntegerType.get_signless(64)),
        Global.of(module, "quantune_channel_minima", [total], ir.F32Type.get(), inf),
        Global.of(module, "quantune_channel_maxima", [total], ir.F32Type.get(), -inf),
    ]
    observed: list[ObservedOp] = []
    first = 0
    for place, (op, number) in enumerate(zip(observers, channels, strict=True)):
        observed.append(ObservedOp(place, op, (number, first)))
        first += number
    with ir.InsertionPoint.at_block_begin(entry_block(function)):
        state = [part.load() for part in parts]
    (state,) = lower_observed(module, [ObservedOps({OBSERVE_CHANNELS: observed}, state)])
    with ir.InsertionPoint(_terminator(function)):
        for part, value in zip(parts, state, strict=True):
            part.store(value)
    define_reader(module, "channels", parts)


def _lower_comparisons(module: ir.Module) -> None:
    """Measures and projections; what several functions measure of the same tensor adds up in one row."""
    measures, projections = (
        {function: ops for function in functions(module) if (ops := ops_named(function, name))}
        for name in (quantune.MEASURE, quantune.PROJECT)
    )
    measured = dict.fromkeys(_attributes(op) for ops in measures.values() for op in ops)
    in_main = {_attributes(op) for op in measures.get(main_function(module), [])}
    pairs = dict.fromkeys(_projected_rows(op) for ops in projections.values() for op in ops)
    projected = [row for rows in zip(*pairs, strict=True) for row in rows]
    rows = [_with(row, EVERY_RUN, ir.BoolAttr.get(row in in_main)) for row in (*measured, *projected)]
    module.operation.attributes[MEASURED] = ir.ArrayAttr.get(rows)
    if not measured and not projected:
        return
    energies = Global.of(module, "quantune_energies", [len(measured) + len(projected), 2], ir.F64Type.get())
    if measures:
        _lower_measures(module, measures, {row: place for place, row in enumerate(measured)}, energies)
    if projections:
        _lower_projections(module, projections, {pair: i for i, pair in enumerate(pairs)}, len(measured), energies)
    define_reader(module, "energies", [energies])


def _lower_measures(
    module: ir.Module,
    measures: Mapping[ir.Operation, Sequence[ir.Operation]],
    places: Mapping[ir.Attribute, int],
    energies: Global,
) -> None:
    """`measures` by function; each has its place among the energies."""
    found: list[ObservedOps] = []
    for function, ops in measures.items():
        observed = _comparing(MEASURE, ops, [places[_attributes(op)] for op in ops])
        with ir.InsertionPoint.at_block_begin(entry_block(function)):
            found.append(ObservedOps(observed, [energies.load()]))
    for function, (state,) in zip(measures, lower_observed(module, found), strict=True):
        with ir.InsertionPoint(_terminator(function)):
            energies.store(state)


def _lower_projections(
    module: ir.Module,
    projections: Mapping[ir.Operation, Sequence[ir.Operation]],
    pairs: Mapping[tuple[ir.Attribute, ir.Attribute], int],
    first: int,
    energies: Global,
) -> None:
    """`projections` by function. A run adds up its own, two inner products each, and squares them in the end.

    Their energies stand from row `first` on: all wholes, then all lanes.
    """
    kind = ir.RankedTensorType.get([2 * len(pairs) * LANES], ir.F64Type.get())
    found: list[ObservedOps] = []
    for function, ops in projections.items():
        places = [2 * pairs[_projected_rows(op)] + _PROJECTIONS[_part(op)][2] for op in ops]
        with ir.InsertionPoint.at_block_begin(entry_block(function)):
            nothing = ir.DenseElementsAttr.get_splat(kind, ir.FloatAttr.get(kind.element_type, 0.0))
            found.append(ObservedOps(_comparing(PROJECT, ops, places), [arith.ConstantOp(kind, nothing).result]))
    import_text(module, resources.kernel_text("square_projections.mlir"))
    for function, (sums,) in zip(projections, lower_observed(module, found), strict=True):
        with ir.InsertionPoint(_terminator(function)):
            state = [sums, energies.load()]
            _, squared = dispatch("quantune_square_projections", "square", [i32(len(pairs)), i32(first)], state)
            energies.store(squared)


def _projected_rows(op: ir.Operation) -> tuple[ir.Attribute, ir.Attribute]:
    """The two rows of energies that a projection adds to: of the whole, and of its lanes."""
    whole, lanes, _ = _PROJECTIONS[_part(op)]
    name = op.attributes["tensor_name"]
    return tuple(ir.DictAttr.get({"tensor_name": name, "noise": ir.StringAttr.get(noise)}) for noise in (whole, lanes))


def _part(op: ir.Operation) -> str:
    return ir.StringAttr(op.attributes["part"]).value


def _comparing(
    kernels: Mapping[str, Observer], ops: Sequence[ir.Operation], places: Sequence[int]
) -> dict[Observer, list[ObservedOp]]:
    """The ops of measures or projections, each with its place in the state, by the kernel for its candidate."""
    observed: dict[Observer, list[ObservedOp]] = {}
    for order, (op, place) in enumerate(zip(ops, places, strict=True)):
        scale = np.float32(ir.FloatAttr(op.attributes["scale"]).value).view(np.int32)
        zero_point = ir.IntegerAttr(op.attributes["zero_point"]).value
        kernel = kernels[str(ir.RankedTensorType(op.operands[-1].type).element_type)]
        observed.setdefault(kernel, []).append(ObservedOp(order, op, (place, int(scale), zero_point)))
    return observed


def _terminator(function: ir.Operation) -> ir.Operation:
    operations = entry_block(function).operations
    return operations[len(operations) - 1].operation


def _attributes(op: ir.Operation) -> ir.DictAttr:
    return ir.DictAttr.get({a: op.attributes[a] for a in op.attributes})


def _with(attributes: ir.DictAttr, name: str, value: ir.Attribute) -> ir.DictAttr:
    return ir.DictAttr.get({**{field.name: field.attr for field in attributes}, name: value})


def _channel_attributes(op: ir.Operation) -> ir.DictAttr:
    i64 = ir.IntegerType.get_signless(64)
    rows, channels = (ir.IntegerAttr.get(i64, size) for size in _size(op.operands[0]))
    return ir.DictAttr.get({"tensor_name": op.attributes["tensor_name"], "rows": rows, "channels": channels})


def _size(value: ir.Value) -> tuple[int, int]:
    """Rows and channels of a tensor; a number is one of one."""
    *rows, channels = ir.RankedTensorType(value.type).shape or (1,)
    return prod(rows), channels
