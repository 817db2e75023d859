"""Whether the i32 accumulators of a unit hold every sum, whatever its input, in any order of its terms."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from quantune_mlir.errors import QuantuneError
from quantune_mlir.graph.units import Kind, Unit
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import shape_of
from quantune_mlir.mlir.tosa.resizing import parts_of
from quantune_mlir.numerics.accumulators import INT32_MAX, reach
from quantune_mlir.numerics.parameters import QuantParams


def bound_of_sums(unit: Unit, params: Sequence[QuantParams]) -> int:
    """A bound of the accumulators of a unit without constant weights; 0 if it adds up no more than two numbers."""
    reaches = prod(map(reach, params))
    match unit.kind:
        case Kind.MEAN:
            return reaches * (prod(shape_of(unit.inputs[0])) // max(1, prod(shape_of(unit.output))))
        case Kind.AVERAGE if unit.op.name == "tosa.resize":
            return reaches * parts_of(unit.op)
        case Kind.AVERAGE:
            return reaches * prod(ir.DenseI64ArrayAttr(unit.op.attributes["kernel"]))
        case Kind.DOT:
            return reaches * shape_of(unit.op.operands[0])[-1]
        case _:
            return 0


def overflow(bound: int) -> str | None:
    """Why a unit with this bound has no integer form, if so."""
    return f"its sums may reach {bound:,}, more than int32 holds" if bound > INT32_MAX else None


def require_no_overflow(unit: Unit, bound: int) -> None:
    """Raises QuantuneError if accumulators with this bound may overflow."""
    reason = overflow(bound)
    if reason is not None:
        raise QuantuneError(f"no int8: {reason}", where=unit.layer, remedy="keep the layer in fp32")
