"""quantune-quantize.

In:  simplified fp32 TOSA with `quantune.qparams` and `quantune.precision`.
Out: pure TOSA of mixed precision: integer ops with requantization, fp32 ops, and boundaries where precision changes.

With `boundary=int8`, inputs that an int8 op reads are int8, and so are results that int8 ops make: their
`quantune.qparams` stay, at the function's arguments and results.

A clamp goes into the epilogue of the int8 op before it. An int8 accumulator that only fp32 ops read becomes fp32
directly, without being rounded to int8; so does one that a piecewise linear function reads, in float requantization.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.graph.lowering import lowering_steps
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.precision_propagation import up_to_results
from quantune_mlir.graph.units import Unit
from quantune_mlir.integer.integer_options import Boundary, Granularity, IntegerOptions, RequantizeMode
from quantune_mlir.integer.rewriter import Rewriter
from quantune_mlir.integer.unit_emitter import UnitEmitter
from quantune_mlir.mlir.bindings import func, ir
from quantune_mlir.mlir.qparams import read_qparams, remove_argument_qparams, set_integer_boundary
from quantune_mlir.numerics.formats import NumberFormat
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.numerics.schemes import Scheme
from quantune_mlir.passes.quantize.assign_precision import annotated_formats
from quantune_mlir.pipeline.base import NetworkPass


@dataclass(frozen=True)
class Quantize(NetworkPass):
    """Rewrite planned fp32 TOSA into mixed int8/fp32 TOSA."""

    name: ClassVar[str] = "quantune-quantize"

    weights: Granularity = IntegerOptions.weights
    scheme: Scheme = IntegerOptions.scheme
    requantize: RequantizeMode = IntegerOptions.requantize
    boundary: Boundary = "fp32"

    def apply_to(self, network: Network) -> None:
        params, formats = read_qparams(network.function), annotated_formats(network)
        rewriter = Rewriter(params, IntegerOptions(self.weights, self.scheme, self.requantize))
        originals = [op.operation for op in network.block]
        inputs, results = dict[int, QuantParams](), dict[int, QuantParams]()
        if self.boundary == "int8":
            formats = up_to_results(network, formats)
            inputs, results = _integer_inputs(network, formats, params), _integer_results(network, formats, params)
        for number in inputs:
            rewriter.given(network.block.arguments[number])
        floats, integers = self.requantize == "float", self.boundary == "int8"
        for step in lowering_steps(network, formats, float_epilogues=floats, integer_results=integers):
            rewriter.emit(step, step.unit.op)
        return_rewritten(originals, network, rewriter, results)
        remove_argument_qparams(network.function)
        if inputs or results:
            set_integer_boundary(network.function, inputs, results)


_Formats = Mapping[ir.Value, NumberFormat]
_Params = Mapping[ir.Value, QuantParams]


def _integer_inputs(network: Network, formats: _Formats, params: _Params) -> dict[int, QuantParams]:
    """By number, the arguments that an integer op reads."""
    return {
        argument.arg_number: params[argument]
        for argument in network.block.arguments
        if argument in params and any(formats[reader.output].is_integer for reader in network.readers.get(argument, ()))
    }


def _integer_results(network: Network, formats: _Formats, params: _Params) -> dict[int, QuantParams]:
    """By number, the results that integer ops make."""
    *_, terminator = network.block
    values = enumerate(terminator.operands)
    return {
        number: params[value]
        for number, value in values
        if value in params and value in formats and formats[value].is_integer
    }


def return_rewritten(
    originals: Sequence[ir.Operation], network: Network, rewriter: Rewriter, in_integers: Collection[int] = ()
) -> None:
    """Returns the rewritten values and erases the original ops; their constants stay for dead-code removal."""
    *_, terminator = originals
    makers = network.makers

    def rewritten(number: int, value: ir.Value) -> ir.Value:
        if value not in makers:
            return value
        emitter = UnitEmitter(_labelled(makers[value], makers), terminator)
        return rewriter.int8(value, emitter).value if number in in_integers else rewriter.fp32(value, emitter)

    results = [rewritten(number, value) for number, value in enumerate(terminator.operands)]
    with ir.InsertionPoint(terminator), terminator.location:
        func.ReturnOp(results)
    terminator.erase()
    for unit in reversed(network.units):
        for op in reversed(unit.ops):
            op.erase()


def _labelled(unit: Unit, makers: Mapping[ir.Value, Unit]) -> Unit:
    """The unit, or what a change of layout, which belongs to no layer, has its tensor from."""
    while unit.layer is None and unit.inputs and unit.inputs[0] in makers:
        unit = makers[unit.inputs[0]]
    return unit
