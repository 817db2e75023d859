"""Makes a module of TOSA that another compiler wrote one of this project's: checked, cut, with its names and hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from quantune_mlir.errors import ModelError
from quantune_mlir.importers.common.cutting import cut
from quantune_mlir.importers.common.edits import Edits
from quantune_mlir.importers.common.foreign_ops import (
    bounded_masks,
    single_rounding,
    static_value,
    unbounded_clamp,
    widened_constant,
)
from quantune_mlir.importers.common.unsigned import signless_boundaries
from quantune_mlir.importers.common.unsupported import refuse_unsupported
from quantune_mlir.mlir.attributes import EDITS, ELEMENT_TYPE, LAYER, MODEL, NAME
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONST, constant_value
from quantune_mlir.mlir.edit import users
from quantune_mlir.mlir.text import module_text

_KEPT_UNUSED = ("func.return", "tosa.variable_write", "tfl.assign_variable")
_WEIGHTED = ("conv", "matmul")


def adopt(
    module: ir.Module,
    function: ir.Operation,
    tensors: Mapping[str, ir.Value],
    names: tuple[Sequence[str], Sequence[str]],
    edits: Edits,
    digest: str,
    where: str,
) -> None:
    """Change a module in place to what the rest of the project takes.

    Args:
        module: TOSA ops, each labelled with `quantune.layer` and `quantune.op`, and perhaps ops that are none.
        function: the function to keep; it becomes `@main`, the others go.
        tensors: values by the names at which the user may cut.
        names: what inputs and outputs are called.
        edits: inputs to pin, and tensors to cut at.
        digest: the hash of the file; that of an edited module is of what is left of it.
        where: what to call the file in errors.

    Raises:
        ModelError: a cut or a constant does not fit, weights are broken, or the function computes nothing.
        UnsupportedOperatorsError: ops that are not TOSA, or of types that are not computed in; it lists all of them.
    """
    with module.context, ir.Location.unknown():
        _keep_only(module, function)
        block = function.regions[0].blocks[0]
        inputs, outputs = cut(block, tensors, names, edits, where)
        _erase_unused(block)
        for view in list(block.operations):
            static_value(view.operation)
        for view in list(block.operations):
            widened_constant(view.operation)
        _erase_unused(block)
        unsigned = signless_boundaries(block)
        refuse_unsupported(block, tensors, where)
        _refuse_bad_weights(block, where)
        for view in list(block.operations):
            unbounded_clamp(view.operation)
            bounded_masks(view.operation)
            single_rounding(view.operation)
        _sign(function, block, (inputs, outputs), unsigned)
        if told := edits.to_text():
            digest = hashlib.sha256(module_text(module, generic=True).encode()).hexdigest()
            module.operation.attributes[EDITS] = ir.StringAttr.get(told)
        module.operation.attributes[MODEL] = ir.StringAttr.get(digest)


def _keep_only(module: ir.Module, function: ir.Operation) -> None:
    for view in list(module.body.operations):
        if view.operation != function:
            view.operation.erase()
    for op in (module.operation, function):
        for name in list(op.attributes):
            if name not in ("sym_name", "function_type"):
                del op.attributes[name]
    function.attributes["sym_name"] = ir.StringAttr.get("main")


def _erase_unused(block: ir.Block) -> None:
    for view in reversed(list(block.operations)):
        op = view.operation
        if op.name not in _KEPT_UNUSED and not any(users(result) for result in op.results):
            op.erase()


def _refuse_bad_weights(block: ir.Block, where: str) -> None:
    """NaN is refused in every constant, infinity in those that an op multiplies by."""
    for view in block.operations:
        op = view.operation
        if op.name != CONST:
            continue
        array = constant_value(op.results[0])
        if array is None or array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        readers = users(op.results[0])
        weighted = any(word in reader.name for reader in readers for word in _WEIGHTED)
        bad = ~np.isfinite(array) if weighted else np.isnan(array)
        if bad.any():
            layer = next((name for reader in readers if (name := _text(reader, LAYER))), "?")
            raise ModelError(
                f"a constant of layer {layer!r} holds {int(bad.sum())} NaN or infinite value(s)",
                where=where,
                remedy="the weights are broken: train or export the model again",
            )


def _sign(
    function: ir.Operation,
    block: ir.Block,
    names: tuple[Sequence[str], Sequence[str]],
    unsigned: tuple[set[int], set[int]],
) -> None:
    results = [operand.type for operand in block.operations[len(block.operations) - 1].operands]
    arguments = [argument.type for argument in block.arguments]
    function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(arguments, results))
    for kind, named, of_uint8 in zip(("arg_attrs", "res_attrs"), names, unsigned, strict=True):
        function.attributes[kind] = ir.ArrayAttr.get(
            [ir.DictAttr.get(_described(name, number in of_uint8)) for number, name in enumerate(named)]
        )


def _described(name: str, is_uint8: bool) -> dict[str, ir.Attribute]:
    told: dict[str, ir.Attribute] = {NAME: ir.StringAttr.get(name)}
    return told | {ELEMENT_TYPE: ir.StringAttr.get("uint8")} if is_uint8 else told


def _text(op: ir.Operation, attribute: str) -> str | None:
    return ir.StringAttr(op.attributes[attribute]).value if attribute in op.attributes else None
