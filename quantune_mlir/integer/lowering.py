"""One unit to integers: the table from kind of unit to the file that emits it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from quantune_mlir.errors import QuantuneError
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer import arithmetic, dot, movement, table
from quantune_mlir.integer.bounds import bound_of_sums, require_no_overflow
from quantune_mlir.integer.epilogue import End
from quantune_mlir.integer.integer_options import IntegerOptions
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.numerics.formats import INT8_ACTIVATIONS, INT16_ACTIVATIONS, NumberFormat


def lower_unit(
    emitter: UnitEmitter,
    unit: Unit,
    inputs: Sequence[Quantized],
    end: End,
    options: IntegerOptions,
    format_: NumberFormat,
) -> ir.Value:
    """The integer form of `unit`: `inputs` follow `unit.inputs` (for binary ops and matmul: their operands).

    Raises:
        QuantuneError: there are no integer forms of the format's activations, accumulators may overflow, or scales are
            too far apart; with the layer's name.
    """
    with _naming(unit.layer):
        if format_.activations not in (INT8_ACTIVATIONS, INT16_ACTIVATIONS) or format_.weights is None:
            raise QuantuneError(
                f"activations of {format_} have no integer form here",
                remedy="plan the layer in int8 or fp32",
            )
        if unit.kind is Kind.AVERAGE or (unit.kind is Kind.MEAN and inputs[0].params.codes == INT8_ACTIVATIONS):
            require_no_overflow(unit, bound_of_sums(unit, [tensor.params for tensor in inputs]))
        match unit.kind, unit.op.name:
            case Kind.DOT, "tosa.matmul":
                return dot.emit_matmul(emitter, unit, inputs, end, options, format_)
            case Kind.DOT, _:
                return dot.emit_convolution(emitter, unit, inputs, end, options, format_)
            case Kind.BINARY, "tosa.mul":
                return arithmetic.emit_product(emitter, unit, inputs, end, options)
            case Kind.BINARY, _:
                return arithmetic.emit_sum(emitter, unit, inputs, end, options)
            case Kind.MEAN, _:
                return arithmetic.emit_mean(emitter, unit, inputs, end, options)
            case Kind.CLAMP, _:
                return arithmetic.emit_clamp(emitter, unit, inputs, end, options)
            case Kind.UNARY, _:
                assert end.params is not None
                return table.emit_table(emitter, unit, inputs, end.params)
            case Kind.AVERAGE, "tosa.resize":
                return movement.emit_interpolation(emitter, unit, inputs, options)
            case Kind.AVERAGE, _:
                return movement.emit_average(emitter, unit, inputs)
            case Kind.SLOPES, _:
                return arithmetic.emit_slopes(emitter, unit, inputs, end)
            case Kind.EXTREME, _:
                return movement.emit_extreme(emitter, unit, inputs)
            case Kind.MOVEMENT | Kind.CONCAT, _:
                return movement.emit_movement(emitter, unit, inputs)
            case Kind.FLOAT | Kind.LOOP, _:
                raise AssertionError(f"{unit.op.name} has no integer form here")


@contextmanager
def _naming(layer: str | None) -> Generator[None]:
    """Errors name a layer, if they name nothing else."""
    try:
        yield
    except QuantuneError as error:
        raise QuantuneError(error.what, where=error.where or layer, remedy=error.remedy) from error
