"""One unit to int8: the table from kind of unit to the file that emits it."""

from __future__ import annotations

from collections.abc import Sequence

from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.integer import arithmetic, dot, movement, table
from quantune_mlir.integer.emitter import Emitter, Quantized
from quantune_mlir.integer.epilogue import End
from quantune_mlir.integer.options import IntegerOptions
from quantune_mlir.mlir.bindings import ir


def lower_unit(
    emitter: Emitter, unit: Unit, inputs: Sequence[Quantized], end: End, options: IntegerOptions
) -> ir.Value:
    """The int8 form of `unit`: `inputs` follow `unit.inputs` (for binary ops and matmul: their operands)."""
    match unit.kind, unit.op.name:
        case Kind.DOT, "tosa.matmul":
            return dot.emit_matmul(emitter, unit, inputs, end, options)
        case Kind.DOT, _:
            return dot.emit_convolution(emitter, unit, inputs, end, options)
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
        case Kind.AVERAGE, _:
            return movement.emit_average(emitter, unit, inputs)
        case Kind.MOVEMENT | Kind.CONCAT, _:
            return movement.emit_movement(emitter, unit, inputs)
        case Kind.FLOAT, _:
            raise AssertionError(f"{unit.op.name} has no int8 form")
