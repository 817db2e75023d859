"""Layers of a module whose ops have none: by their locations' names, else by op and number."""

from __future__ import annotations

from collections import Counter

from quantune_mlir.mlir.attributes import LAYER, OP
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONSTANTS
from quantune_mlir.mlir.location_names import location_names
from quantune_mlir.mlir.tosa.traits import traits_of


def label_layers(block: ir.Block) -> dict[str, ir.Value]:
    """Label each op that is not labelled yet; return the last value of each layer.

    Ops one after the other with the same name are one layer, with one product at most: makers give the same name to all
    that a node of their source became. A name that comes again gets a number.
    """
    values: dict[str, ir.Value] = {}
    taken = _labelled(block)
    unnamed: Counter[str] = Counter()
    previous, layer, has_product = "", "", False
    for view in block.operations:
        op = view.operation
        if op.name in CONSTANTS or op.name == "func.return" or not len(op.results):
            continue
        kind = op.name.rpartition(".")[2]
        if LAYER not in op.attributes:
            name = next(iter(location_names(op.location)), "")
            product = traits_of(op).weights is not None
            if not name or name != previous or (product and has_product):
                if name:
                    layer = _free(name, taken)
                else:
                    layer = _free(f"{kind}_{unnamed[kind]}", taken)
                    unnamed[kind] += 1
                has_product = False
            previous, has_product = name, has_product or product
            op.attributes[LAYER] = ir.StringAttr.get(layer)
        if OP not in op.attributes:
            op.attributes[OP] = ir.StringAttr.get(kind)
        values[ir.StringAttr(op.attributes[LAYER]).value] = op.results[0]
    return values


def _labelled(block: ir.Block) -> set[str]:
    attributes = [view.operation.attributes for view in block.operations]
    return {ir.StringAttr(found[LAYER]).value for found in attributes if LAYER in found}


def _free(stem: str, taken: set[str]) -> str:
    name, number = stem, 0
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name)
    return name
