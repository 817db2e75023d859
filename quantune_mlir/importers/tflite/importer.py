"""A .tflite file in, a module of TOSA ops with one function out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from quantune_mlir.errors import ModelError, UnsupportedOperatorsError
from quantune_mlir.files.access import read_file
from quantune_mlir.importers.common.adoption import adopt
from quantune_mlir.importers.common.import_options import ImportOptions
from quantune_mlir.importers.common.static_shapes import StaticShapes
from quantune_mlir.importers.tflite.boundary import tell_scales
from quantune_mlir.importers.tflite.converter import converted, require_installed
from quantune_mlir.importers.tflite.corrections import correct
from quantune_mlir.importers.tflite.custom import expand_custom
from quantune_mlir.importers.tflite.flatbuffer import BrokenBuffer
from quantune_mlir.importers.tflite.labels import label_layers
from quantune_mlir.importers.tflite.model_file import ModelFile
from quantune_mlir.importers.tflite.refusals import (
    refuse_formats,
    refuse_quantized,
    refuse_unconverted,
)
from quantune_mlir.importers.tflite.sparse import densify
from quantune_mlir.importers.tflite.states import without_state
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import functions
from quantune_mlir.mlir.text import parse_module

_LARGEST_FILE: Final = 1 << 31
"""What a FlatBuffer can hold."""


def import_tflite(path: Path, options: ImportOptions, context: ir.Context) -> ir.Module:
    """Import a TensorFlow Lite model of floats, or with `options.keep_quantized` a quantized one as it is.

    The function has the model's own signature, static; inputs and outputs are called as their tensors are, and
    variables are inputs and outputs as well.

    Raises:
        ModelError: the file is broken, quantized, or has what cannot be imported; or there is no converter.
        UnsupportedOperatorsError: some operators cannot be imported; it lists all of them.
    """
    where = str(path)
    content = read_file(path, limit=_LARGEST_FILE, error=ModelError)
    require_installed(where)
    try:
        return _imported(content, options, context, where)
    except UnsupportedOperatorsError as refused:
        try:
            return _imported(content, options, context, where, recorded=True)
        except ModelError:
            raise refused from None


def _imported(
    content: bytes, options: ImportOptions, context: ir.Context, where: str, *, recorded: bool = False
) -> ir.Module:
    """The module; with `recorded`, tensors between inputs and outputs have the shapes that the file says as well.

    These are right for inputs of the recorded shapes, and where the converter cannot infer them.
    """
    try:
        model = ModelFile(bytearray(content))
        model.check_names()
        model.check_values()
        model, names = without_state(model, where)
        if not options.keep_quantized:
            refuse_quantized(model, where)
        refuse_formats(model, where)
        _pin_shapes(model, options.shapes, where, recorded=recorded)
        module = _converted(model, where, context)
        function = _first_function(module, where)
        with context, ir.Location.unknown():
            block = function.regions[0].blocks[0]
            tensors = label_layers(block, model)
            densify(block, model)
            expand_custom(block)
            correct(block, model)
        digest = hashlib.sha256(content).hexdigest()
        adopt(module, function, tensors, names, options.edits, digest, where)
        if not options.edits.to_text():
            tell_scales(function, model)
    except BrokenBuffer as error:
        raise ModelError(
            f"a broken TensorFlow Lite model: {error}", where=where, remedy="export or download the model again"
        ) from error
    return module


def _converted(model: ModelFile, where: str, context: ir.Context) -> ir.Module:
    try:
        return parse_module(converted(model.data, where), context, name=where)
    except ModelError:
        refuse_unconverted(model, where)
        raise


def _first_function(module: ir.Module, where: str) -> ir.Operation:
    """The first subgraph, which LiteRT runs unless it is told another signature."""
    found = functions(module)
    if not found:
        raise ModelError("the model has no subgraph that can be imported", where=where, remedy="export it again")
    return found[0]


def _pin_shapes(model: ModelFile, shapes: StaticShapes, where: str, *, recorded: bool) -> None:
    """Give inputs with dynamic axes their static shapes; the converter infers all others, or they are as recorded.

    Raises:
        ModelError: a shape does not fit; or other shapes are recorded than the inputs are to have, or none is dynamic.
    """
    shapes.check([tensor.name for tensor in model.inputs], where)
    if recorded and not any(tensor.is_dynamic for tensor in model.inputs):
        raise ModelError("all shapes are known", where=where)
    for tensor, shape in zip(model.inputs, shapes.of([t.declared for t in model.inputs], where), strict=True):
        if recorded and shape != tensor.shape:
            raise ModelError(f"other shapes are recorded than {shape}", where=where)
        if tensor.is_dynamic:
            model.pin(tensor, shape)
    if recorded:
        for tensor in model.tensors:
            model.pin(tensor, tensor.shape)
