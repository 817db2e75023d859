"""quantune-expand-rounding.

In:  TOSA with casts from f32 to i8, which round half to even and saturate.
Out: the same numbers without `math.roundeven`, into which IREE would lower the casts, and which it expands to some
     forty instructions a vector. With C = 1.5 * 2^23, at whose size an f32 has no fraction bits,

         s = clamp(x, -128, 127) + C        q = trunc_i8(bits(s))        f32(q) = s - C

The last form takes the place of casts back to f32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from quantune_mlir.mlir.bindings import arith, ir
from quantune_mlir.mlir.edit import replace, users
from quantune_mlir.mlir.function import entry_block, functions
from quantune_mlir.mlir.tosa import build
from quantune_mlir.numerics.parameters import QMAX, QMIN
from quantune_mlir.pipeline.base import Pass

_SHIFTER: Final = 1.5 * 2**23


@dataclass(frozen=True)
class ExpandRounding(Pass):
    """Round to int8 by adding and truncating."""

    name: ClassVar[str] = "quantune-expand-rounding"

    def apply(self, module: ir.Module) -> None:
        with module.context:
            ops = [op.operation for function in functions(module) for op in entry_block(function)]
            for op in [op for op in ops if _is_cast(op, "f32", "i8")]:
                with ir.InsertionPoint(op), op.location:
                    _expand(op)


def _expand(op: ir.Operation) -> None:
    (source,) = op.operands
    (result,) = op.results
    shape = ir.RankedTensorType(source.type).shape
    i32 = ir.IntegerType.get_signless(32)
    shifter = arith.ConstantOp(source.type, _splat(source.type, _SHIFTER)).result
    shifted = arith.AddFOp(build.clamp(source, QMIN, QMAX), shifter).result
    bits = arith.BitcastOp(ir.RankedTensorType.get(shape, i32), shifted).result
    integers = arith.TruncIOp(result.type, bits).result
    for reader in [reader for reader in users(result) if _is_cast(reader, "i8", "f32")]:
        replace(reader, arith.SubFOp(shifted, shifter).result)
    replace(op, integers)


def _is_cast(op: ir.Operation, source: str, result: str) -> bool:
    if op.name != "tosa.cast":
        return False
    types = [ir.RankedTensorType(value.type) for value in (op.operands[0], op.results[0])]
    return [str(kind.element_type) for kind in types] == [source, result]


def _splat(kind: ir.Type, value: float) -> ir.DenseElementsAttr:
    return ir.DenseElementsAttr.get_splat(kind, ir.FloatAttr.get(ir.F32Type.get(), value))
