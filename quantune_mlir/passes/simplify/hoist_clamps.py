"""In: a clamp of a reshaped product. Out: the clamp before the reshape, where the product's epilogue can take it.

    clamp(reshape(x . W))  ==  reshape(clamp(x . W))

The reshape becomes part of the clamp's layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.edit import defining_op, rebuild, replace, shape_of
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.tosa.traits import traits_of
from quantune_mlir.pipeline.base import Pass


@dataclass(frozen=True)
class HoistClamps(Pass):
    """Move clamps before the reshape that stands between them and a product."""

    name: ClassVar[str] = "quantune-hoist-clamps"

    def apply(self, module: ir.Module) -> None:
        for view in list(entry_block(main_function(module))):
            clamp = view.operation
            reshape = defining_op(clamp.operands[0], "tosa.reshape") if clamp.name == "tosa.clamp" else None
            if reshape is not None and _follows_product(reshape):
                _swap(reshape, clamp)


def _follows_product(reshape: ir.Operation) -> bool:
    """Whether it reads a product's result, of which neither has another reader."""
    product = defining_op(reshape.operands[0])
    alone = all(len(list(value.uses)) == 1 for value in (reshape.operands[0], reshape.results[0]))
    return product is not None and traits_of(product).weights is not None and alone


def _swap(reshape: ir.Operation, clamp: ir.Operation) -> None:
    product = reshape.operands[0]
    clamped = rebuild(clamp, [product], shape=shape_of(product)).results[0]
    kept = {name: reshape.attributes[name] for name in reshape.attributes if name not in (LAYER, OP)}
    moved = {name: clamp.attributes[name] for name in (LAYER, OP) if name in clamp.attributes}
    twin = ir.Operation.create(
        reshape.name,
        results=[reshape.results[0].type],
        operands=[clamped, reshape.operands[1]],
        attributes=kept | moved,
        loc=clamp.location,
        ip=ir.InsertionPoint(clamp),
    )
    replace(clamp, twin.results[0])
    reshape.erase()
