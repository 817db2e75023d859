"""quantune-quantize.

In:  simplified fp32 TOSA with `quantune.qparams` and `quantune.precision`.
Out: pure TOSA of mixed precision: integer ops with requantization, fp32 ops, and boundaries where precision changes.

With `boundary=int8`, inputs that an int8 op reads are int8, and so are results that int8 ops make: their
`quantune.qparams` stay, at the function's arguments and results. What int16 ops read or make is int16 there. If
requantization is in integers as well, so are softmaxes of integers.

A clamp goes into the epilogue of the int8 op before it. An int8 accumulator that only fp32 ops read becomes fp32
directly, without being rounded to int8; so does one that a piecewise linear function reads, in float requantization.
What only int16 ops read becomes int16 directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from quantune_mlir.graph.lowering import lowering_steps
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.precision_propagation import up_to_results
from quantune_mlir.graph.softmax import Softmax, find_softmaxes, with_softmaxes
from quantune_mlir.graph.units import Unit
from quantune_mlir.integer.integer_options import Boundary, Granularity, IntegerOptions, RequantizeMode
from quantune_mlir.integer.rewriter import Rewriter
from quantune_mlir.integer.softmax import SHARES, emit_softmax, share_params
from quantune_mlir.integer.unit_emitter import UnitEmitter
from quantune_mlir.mlir.bindings import func, ir
from quantune_mlir.mlir.qparams import read_qparams, read_ranges, remove_argument_qparams, set_integer_boundary
from quantune_mlir.numerics.formats import IntegerRange, NumberFormat
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
        params, ranges = read_qparams(network.function), read_ranges(network.function)
        formats = annotated_formats(network)
        softmaxes: dict[ir.Value, Softmax] = {}
        if self.boundary == "int8" and self.requantize == "integer":
            found = list(find_softmaxes(network))
            formats = with_softmaxes(network, formats, found)
            softmaxes = {unit.output: each for each in found for unit in each.units if formats[unit.output].is_integer}
            for value in _sharing(network, [each.output for each in softmaxes.values()]):
                params[value], ranges[value] = share_params(), SHARES
        rewriter = Rewriter(params, IntegerOptions(self.weights, self.scheme, self.requantize), ranges)
        originals = [op.operation for op in network.block]
        floats, integers = self.requantize == "float", self.boundary == "int8"
        inputs, results = dict[int, IntegerRange](), dict[int, IntegerRange]()
        if self.boundary == "int8":
            formats = up_to_results(network, formats)
            inputs, results = _integer_inputs(network, formats, params), _integer_results(network, formats, params)
        steps = list(lowering_steps(network, formats, float_epilogues=floats, integer_results=integers))
        for number, codes in inputs.items():
            rewriter.given(network.block.arguments[number], codes)
        for step in steps:
            softmax = softmaxes.get(step.unit.output)
            if softmax is None:
                rewriter.emit(step, step.unit.op)
            elif step.unit.output == softmax.output:
                emitter = UnitEmitter(step.unit, step.unit.op)
                codes = step.result_codes
                rewriter.made(
                    softmax.output, emit_softmax(emitter, softmax, rewriter.integer(softmax.source, emitter, codes))
                )
        *_, terminator = network.block
        meaning = [
            {number: rewriter.params(values[number], codes) for number, codes in chosen.items()}
            for values, chosen in ((network.block.arguments, inputs), (terminator.operands, results))
        ]
        return_rewritten(originals, network, rewriter, results)
        remove_argument_qparams(network.function)
        if inputs or results:
            set_integer_boundary(network.function, *meaning)


def _sharing(network: Network, values: Iterable[ir.Value]) -> Iterator[ir.Value]:
    """Values, and what has the parameters of one of them."""
    groups = network.tensors.groups
    for value in dict.fromkeys(values):
        yield value
        yield from (other for other, group in groups.items() if group == groups.get(value))


_Formats = Mapping[ir.Value, NumberFormat]
_Params = Mapping[ir.Value, QuantParams]


def _integer_inputs(network: Network, formats: _Formats, params: _Params) -> dict[int, IntegerRange]:
    """By number, the arguments that an integer op reads, in the widest codes that one does."""
    found: dict[int, IntegerRange] = {}
    for argument in network.block.arguments:
        readers = (formats[reader.output].activations for reader in network.readers.get(argument, ()))
        codes = [each for each in readers if each is not None]
        if argument in params and codes:
            found[argument.arg_number] = max(codes, key=lambda each: each.bits)
    return found


def _integer_results(network: Network, formats: _Formats, params: _Params) -> dict[int, IntegerRange]:
    """By number, the results that integer ops make."""
    *_, terminator = network.block
    found: dict[int, IntegerRange] = {}
    for number, value in enumerate(terminator.operands):
        codes = formats[value].activations if value in formats else None
        if value in params and codes is not None:
            found[number] = codes
    return found


_NOTHING: Final[Mapping[int, IntegerRange]] = MappingProxyType({})


def return_rewritten(
    originals: Sequence[ir.Operation],
    network: Network,
    rewriter: Rewriter,
    in_integers: Mapping[int, IntegerRange] = _NOTHING,
) -> None:
    """Returns the rewritten values and erases the original ops; their constants stay for dead-code removal."""
    *_, terminator = originals
    makers = network.makers

    def rewritten(number: int, value: ir.Value) -> ir.Value:
        if value not in makers:
            return value
        emitter = UnitEmitter(_labelled(makers[value], makers), terminator)
        if number in in_integers:
            return rewriter.integer(value, emitter, in_integers[number]).value
        return rewriter.fp32(value, emitter)

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
