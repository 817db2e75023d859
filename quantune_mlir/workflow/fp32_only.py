"""Modules that are quantized already, as mixed.mlir is, told before anything is run."""

from __future__ import annotations

from quantune_mlir.errors import QuantizedModelError
from quantune_mlir.mlir.attributes import LAYER
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import element_of
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.model import Model


def require_fp32(model: Model) -> None:
    """Raises QuantizedModelError, naming a layer, if some of a model multiply integers."""
    layers: dict[str, None] = {}

    def visit(op: ir.Operation) -> ir.WalkResult:
        if traits_of(op).int8 == "dot" and element_of(op.operands[0]) in ("i8", "i16") and LAYER in op.attributes:
            layers[ir.StringAttr(op.attributes[LAYER]).value] = None
        return ir.WalkResult.ADVANCE

    model.function.walk(visit)
    if layers:
        raise QuantizedModelError(
            f"the model is quantized already: {len(layers)} layer(s) such as {next(iter(layers))!r} multiply integers",
            remedy="give the fp32 model that it was made from, or fp32.mlir of the same folder",
        )
