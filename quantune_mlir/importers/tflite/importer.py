"""A .tflite file in, a module of TOSA ops with one function out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from quantune_mlir.errors import ModelError, UnsupportedNode, UnsupportedOperatorsError
from quantune_mlir.files.access import read_file
from quantune_mlir.importers.common.adoption import adopt
from quantune_mlir.importers.common.import_options import ImportOptions
from quantune_mlir.importers.common.static_shapes import StaticShapes
from quantune_mlir.importers.tflite.converter import converted, require_installed
from quantune_mlir.importers.tflite.corrections import correct
from quantune_mlir.importers.tflite.custom import expand_custom
from quantune_mlir.importers.tflite.flatbuffer import BrokenBuffer
from quantune_mlir.importers.tflite.labels import label_layers, layer_names
from quantune_mlir.importers.tflite.model_file import ModelFile
from quantune_mlir.importers.tflite.sparse import densify
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import main_function
from quantune_mlir.mlir.text import parse_module

_LARGEST_FILE: Final = 1 << 31
"""What a FlatBuffer can hold."""
_STATE: Final = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
_QUANTIZED_TYPES: Final = ("int8", "uint8", "int16", "int4")


def import_tflite(path: Path, options: ImportOptions, context: ir.Context) -> ir.Module:
    """Import a TensorFlow Lite model of floats, or with `options.keep_quantized` a quantized one as it is.

    The function has the model's own signature, static; inputs and outputs are called as their tensors are.

    Raises:
        ModelError: the file is broken, quantized, or has what cannot be imported; or there is no converter.
        UnsupportedOperatorsError: some operators cannot be imported; it lists all of them.
    """
    where = str(path)
    content = read_file(path, limit=_LARGEST_FILE, error=ModelError)
    require_installed(where)
    try:
        model = ModelFile(bytearray(content))
        model.check_names()
        model.check_values()
        _refuse_state(model, where)
        if not options.keep_quantized:
            _refuse_quantized(model, where)
        _pin_shapes(model, options.shapes, where)
        module = parse_module(converted(model.data, where), context, name=where)
        function = main_function(module)
        with context, ir.Location.unknown():
            block = function.regions[0].blocks[0]
            tensors = label_layers(block, model)
            densify(block, model)
            expand_custom(block)
            correct(block, model)
        names = [t.name for t in model.inputs], [t.name for t in model.outputs]
    except BrokenBuffer as error:
        raise ModelError(
            f"a broken TensorFlow Lite model: {error}", where=where, remedy="export or download the model again"
        ) from error
    adopt(module, function, tensors, names, options.edits, hashlib.sha256(content).hexdigest(), where)
    return module


def _refuse_state(model: ModelFile, where: str) -> None:
    reason = "state that one run leaves to the next"
    found = [UnsupportedNode(name, op.kind, reason) for op, name in layer_names(model).items() if op.kind in _STATE]
    if found:
        raise UnsupportedOperatorsError(
            found, where=where, remedy="export the model with its state as inputs and outputs"
        )


def _refuse_quantized(model: ModelFile, where: str) -> None:
    made = {number for op in model.operators for number in op.outputs}
    found = [
        tensor
        for number, tensor in enumerate(model.tensors)
        if tensor.scaled and tensor.element_type in _QUANTIZED_TYPES and (number in made or tensor in model.inputs)
    ]
    if found:
        raise ModelError(
            f"the model is quantized already: {len(found)} tensor(s) such as {found[0].name!r} "
            f"({found[0].element_type})",
            where=where,
            remedy="give the float model that it was made from, "
            "or compile it as it is: quantune compile --keep-quantized",
        )


def _pin_shapes(model: ModelFile, shapes: StaticShapes, where: str) -> None:
    """Give inputs with dynamic axes their static shapes; the converter infers all others."""
    shapes.check([tensor.name for tensor in model.inputs], where)
    for tensor, shape in zip(model.inputs, shapes.of([t.declared for t in model.inputs], where), strict=True):
        if tensor.is_dynamic:
            model.pin(tensor, shape)
