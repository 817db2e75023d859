"""A unary function in integers: a table, computed once from the fp32 ops themselves.

int8: an entry for each code. int16: one for each 128th, TOSA interpolates between them; the result is rescaled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import PassError
from quantune_mlir.graph.units import Unit
from quantune_mlir.integer.epilogue import rescale
from quantune_mlir.integer.unit_emitter import Quantized, UnitEmitter
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.evaluate import evaluate
from quantune_mlir.numerics.lookup_table import IDENTITY, STEPS_BETWEEN, interpolated_table, lookup_table
from quantune_mlir.numerics.parameters import QuantParams


def emit_table(emitter: UnitEmitter, unit: Unit, inputs: Sequence[Quantized], output: QuantParams) -> ir.Value:
    """tosa.table of the function that the unit's ops compute; the input where it changes no code."""
    (source,) = inputs

    def function(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return _defined(evaluate_unary(unit, x), unit).astype(np.float64)

    if source.params.dtype is np.int8:
        entries = lookup_table(function, source.params, output)
        if np.array_equal(entries, IDENTITY):
            return source.value
        return emitter.emit(build.table, source.value, emitter.constant(entries))
    table = emitter.constant(interpolated_table(function, source.params, output))
    value = emitter.emit(build.table, source.value, table)
    return rescale(emitter, value, 1 / STEPS_BETWEEN, input_zp=0, output_zp=0, element=emitter.stored(output))


def evaluate_unary(unit: Unit, x: NDArray[np.floating]) -> NDArray[np.float32]:
    """What the ops of a unary unit make of `x` (any shape), computed by NumPy."""
    values: dict[ir.Value, NDArray[np.generic]] = {unit.inputs[0]: x}
    for op in unit.ops:
        operands = [values[v] if v in values else _splat(v) for v in op.operands]
        result = evaluate(op, operands)
        assert result is not None, op.name
        values[op.results[0]] = result
    return values[unit.output].astype(np.float32)


def _defined(values: NDArray[np.float32], unit: Unit) -> NDArray[np.float32]:
    """`values` with each NaN replaced by the nearest number.

    A code below the inputs ever seen, of a negative number at a logarithm, say, is there by rounding only.
    """
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        raise PassError("its function is NaN for every input", where=unit.layer, remedy="keep this layer in fp32")
    distance = np.abs(np.arange(values.size)[:, None] - known)
    return values[known[distance.argmin(axis=1)]]


def _splat(value: ir.Value) -> NDArray[np.generic]:
    array = constant_value(value)
    assert array is not None
    return array.reshape(-1)[:1]
