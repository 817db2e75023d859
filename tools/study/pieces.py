"""Every form of every unit of a model, each a function of its own in one compiled module.

With these pieces any plan can be computed without compiling again; schedule.py says which of them a plan needs. They
are emitted by the rewriter that makes the mixed program, and run through the same kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from quantune_mlir.backend.compilation import compile_program, with_kernels
from quantune_mlir.graph import lowering
from quantune_mlir.graph.epilogues import ACCUMULATING
from quantune_mlir.graph.lowering import LoweringStep
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.hardware.targets import Target
from quantune_mlir.integer import boundary
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.integer.rewriter import Rewriter
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.bindings import func, ir
from quantune_mlir.mlir.constants import is_constant
from quantune_mlir.numerics.formats import FP32, INT8, IntegerRange
from quantune_mlir.numerics.parameters import QuantParams


class Form(str, Enum):
    """What a piece computes."""

    FP32 = "fp32"
    """A unit, fp32 in and out."""
    INT8 = "int8"
    """A unit and the clamp that folds into it, i8 in and out."""
    INT8_TO_FP32 = "int8_to_fp32"
    """The same, ending in fp32."""
    QUANTIZE = "quantize"
    """The i8 form of an fp32 value."""
    DEQUANTIZE = "dequantize"
    """The fp32 form of an i8 value."""


_STEPS: Final = {
    Form.FP32: lowering.Form.FP32,
    Form.INT8: lowering.Form.INTEGER,
    Form.INT8_TO_FP32: lowering.Form.TO_FP32,
}


@dataclass(frozen=True)
class Piece:
    """One form of one value; values are numbered, see `number_values`."""

    form: Form
    value: int

    @property
    def name(self) -> str:
        """The function's name in the compiled module."""
        return f"{self.form.value}_{self.value}"


def number_values(arguments: Iterable[ir.Value], units: Sequence[Unit]) -> dict[ir.Value, int]:
    """Numbers the graph inputs and then the outputs of the units, in order."""
    return {value: i for i, value in enumerate([*arguments, *(unit.output for unit in units)])}


def compile_pieces(
    network: Network,
    numbers: Mapping[ir.Value, int],
    params: Mapping[ir.Value, QuantParams],
    options: IntegerOptions,
    target: Target,
) -> bytes:
    """The .vmfb with one function for each form that a plan can ask for.

    Args:
        network: of a simplified model.
        numbers: of the values, from `number_values`.
        params: quantization parameters of the activations that have an int8 form.
        options: how int8 is computed.
        target: what to compile for.
    """
    context = network.function.context
    builder = _Builder(params, options, context)
    with context, ir.Location.unknown():
        _add_pieces(builder, network, numbers, params)
        dispatching = with_kernels(builder.finish(), target)
    with dispatching.context, ir.Location.unknown():
        module = _one_function_each(dispatching, builder.names)
    return compile_program(module, target, kernels=False)


def _add_pieces(
    builder: _Builder, network: Network, numbers: Mapping[ir.Value, int], params: Mapping[ir.Value, QuantParams]
) -> None:
    folded = {clamp.output for clamp in network.clamps.values()}
    for value, number in numbers.items():
        reader = next(iter(network.readers.get(value, ())), network.makers.get(value))
        if value in params and reader is not None:
            builder.add_boundaries(value, reader, number)
    for unit in network.units:
        builder.add_unit(Piece(Form.FP32, numbers[unit.output]), unit)
        clamp = network.clamps.get(unit.output)
        end_value = (clamp or unit).output
        if unit.kind is Kind.FLOAT or unit.output in folded or any(v not in params for v in (*unit.inputs, end_value)):
            continue
        end = numbers[end_value]
        builder.add_unit(Piece(Form.INT8, end), unit, clamp)
        if unit.kind in ACCUMULATING:
            builder.add_unit(Piece(Form.INT8_TO_FP32, end), unit, clamp)


class _Builder:
    """One function that computes all pieces, none of which reads another."""

    def __init__(self, params: Mapping[ir.Value, QuantParams], options: IntegerOptions, context: ir.Context) -> None:
        self._params = params
        self._options = options
        self.names: list[str] = []
        self._results: list[ir.Value] = []
        with context, ir.Location.unknown():
            self._module = ir.Module.create()
            with ir.InsertionPoint(self._module.body):
                self._function = func.FuncOp("main", ([], []))
            self._block = self._function.add_entry_block()
            with ir.InsertionPoint(self._block):
                self._end = func.ReturnOp([]).operation

    def add_boundaries(self, value: ir.Value, reader: Unit, number: int) -> None:
        """QUANTIZE and DEQUANTIZE of a value."""
        emitter, params = UnitEmitter(reader, self._end), self._params[value]
        quantized = boundary.quantize(emitter, self._argument(value, emitter.f32), params).value
        self._add(Piece(Form.QUANTIZE, number), quantized)
        restored = boundary.dequantize(emitter, Quantized(self._argument(value, emitter.i8), params))
        self._add(Piece(Form.DEQUANTIZE, number), restored)

    def add_unit(self, piece: Piece, unit: Unit, clamp: Unit | None = None) -> None:
        """A unit in one form; the clamp folds into the int8 ones."""
        rewriter = _PieceRewriter(self._params, self._options, self._argument)
        step = LoweringStep(unit, clamp, FP32 if piece.form is Form.FP32 else INT8, _STEPS[piece.form])
        rewriter.emit(step, self._end)
        self._add(piece, rewriter.form(step.end)[0])

    def finish(self) -> ir.Module:
        """The module; its function returns the results in the order of `names`."""
        _copy_outside_constants(self._block)
        with ir.InsertionPoint(self._end), self._end.location:
            func.ReturnOp(self._results)
        self._end.erase()
        kind = ir.FunctionType.get(
            [argument.type for argument in self._block.arguments],
            [value.type for value in self._results],
            context=self._module.context,
        )
        self._function.attributes["function_type"] = ir.TypeAttr.get(kind)
        return self._module

    def _argument(self, value: ir.Value, element: ir.Type) -> ir.Value:
        kind = ir.RankedTensorType.get(ir.RankedTensorType(value.type).shape, element)
        return self._block.add_argument(kind, self._end.location)

    def _add(self, piece: Piece, result: ir.Value) -> None:
        self.names.append(piece.name)
        self._results.append(result)


class _PieceRewriter(Rewriter):
    """A rewriter for which each input of the unit is an argument of its own."""

    def __init__(
        self,
        params: Mapping[ir.Value, QuantParams],
        options: IntegerOptions,
        argument: Callable[[ir.Value, ir.Type], ir.Value],
    ) -> None:
        super().__init__(params, options)
        self._argument = argument
        self._arguments: dict[ir.Value, ir.Value] = {}

    def fp32(self, value: ir.Value, emitter: UnitEmitter) -> ir.Value:
        if value not in self._arguments:
            self._arguments[value] = self._argument(value, ir.RankedTensorType(value.type).element_type)
        return self._arguments[value]

    def integer(self, value: ir.Value, emitter: UnitEmitter, codes: IntegerRange) -> Quantized:
        params = self.params(value, codes)
        if value not in self._arguments:
            self._arguments[value] = self._argument(value, emitter.stored(params))
        return Quantized(self._arguments[value], params)


def _copy_outside_constants(block: ir.Block) -> None:
    """Gives ops that read a constant of the model itself a copy of it."""
    copies: dict[ir.Value, ir.Value] = {}
    first = block.operations[0].operation
    for op in list(block.operations):
        for i, operand in enumerate(op.operation.operands):
            if is_constant(operand) and operand.owner.operation.block != block:
                if operand not in copies:
                    copies[operand] = operand.owner.operation.clone(ip=ir.InsertionPoint(first)).results[0]
                op.operation.operands[i] = copies[operand]


def _one_function_each(module: ir.Module, names: Sequence[str]) -> ir.Module:
    """Gives each result of @main a function of its own, which takes the arguments that it needs in their order."""
    *_, main = module.body.operations
    block = main.regions[0].blocks[0]
    results = list(block.operations[len(block.operations) - 1].operands)
    position = {op.operation: i for i, op in enumerate(block.operations)}
    for name, result in zip(names, results, strict=True):
        needed: set[ir.Operation] = set()
        arguments: set[ir.BlockArgument] = set()
        pending = [result]
        while pending:
            value = pending.pop()
            if isinstance(value, ir.BlockArgument):
                arguments.add(value)
            elif value.owner.operation not in needed:
                needed.add(value.owner.operation)
                pending += value.owner.operation.operands
        ordered = sorted(arguments, key=lambda argument: argument.arg_number)
        with ir.InsertionPoint(module.body):
            function = func.FuncOp(name, ([argument.type for argument in ordered], [result.type]))
        inside: dict[ir.Value, ir.Value] = dict(zip(ordered, function.add_entry_block().arguments, strict=True))
        with ir.InsertionPoint(function.regions[0].blocks[0]), main.location:
            for op in sorted(needed, key=position.__getitem__):
                twin = op.clone()
                for i, operand in enumerate(op.operands):
                    twin.operands[i] = inside[operand]
                inside.update(zip(op.results, twin.results, strict=True))
            func.ReturnOp([inside[result]])
    main.operation.erase()
    return module
