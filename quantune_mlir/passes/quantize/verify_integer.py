"""In: any module. Out: the same, or an error if an op computes with floating-point numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from quantune_mlir.errors import PassError
from quantune_mlir.mlir.attributes import LAYER, OP, string_attribute
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.signature import names
from quantune_mlir.pipeline.base import Pass

_FLOATS: Final = (ir.F16Type, ir.BF16Type, ir.F32Type, ir.F64Type)
_LISTED: Final = 5


@dataclass(frozen=True)
class VerifyInteger(Pass):
    """Check that @main has no floating-point number: no input, no result, no operation."""

    name: ClassVar[str] = "quantune-verify-integer"

    def apply(self, module: ir.Module) -> None:
        function = main_function(module)
        block = entry_block(function)
        called = names(function, "arg_attrs", len(block.arguments))
        found = {
            f"input {name!r}": "an fp32 layer reads it"
            for name, argument in zip(called, block.arguments, strict=True)
            if _is_float(argument)
        }
        for op in (view.operation for view in block):
            if any(_is_float(value) for value in (*op.operands, *op.results)):
                layer = string_attribute(op, LAYER)
                found.setdefault(f"layer {layer!r}" if layer else op.name, string_attribute(op, OP) or op.name)
        if found:
            named = ", ".join(f"{what} ({why})" for what, why in list(found.items())[:_LISTED])
            more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
            raise PassError(
                f"what is left in floating point: {named}{more}",
                remedy="plan them in int8 or int16; cut off what has no integer form with --outputs; "
                "or compute in floats: --no-integer-only",
            )


def _is_float(value: ir.Value) -> bool:
    return isinstance(value.type, ir.RankedTensorType) and isinstance(value.type.element_type, _FLOATS)
