"""A .tflite file in, a module of TOSA ops with one function out."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quantune_mlir.errors import ModelError, UnsupportedOperatorsError
from quantune_mlir.files.access import read_file
from quantune_mlir.importers.common.adoption import adopt
from quantune_mlir.importers.common.import_options import ImportOptions
from quantune_mlir.importers.common.static_shapes import StaticShapes
from quantune_mlir.importers.tflite.boundary import tell_scales
from quantune_mlir.importers.tflite.converter import RefusedError, converted, require_installed
from quantune_mlir.importers.tflite.corrections import correct
from quantune_mlir.importers.tflite.custom import expand_custom
from quantune_mlir.importers.tflite.first_refused import refuse_first
from quantune_mlir.importers.tflite.flatbuffer import BrokenBuffer
from quantune_mlir.importers.tflite.labels import label_layers
from quantune_mlir.importers.tflite.model_file import ModelFile
from quantune_mlir.importers.tflite.part import Names, part_of
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
        model = ModelFile(bytearray(content))
        model.broadcast_fills()
        model.check_names()
        model.check_values()
        digest = hashlib.sha256(content).hexdigest()
        return _tried(*without_state(model, where), _Job(options, context, digest, where))
    except BrokenBuffer as error:
        raise ModelError(
            f"a broken TensorFlow Lite model: {error}", where=where, remedy="export or download the model again"
        ) from error


@dataclass(frozen=True)
class _Job:
    """What is asked for: `digest` is the hash of the file, `where` what to call it in errors."""

    options: ImportOptions
    context: ir.Context
    digest: str
    where: str


def _tried(model: ModelFile, names: Names, job: _Job) -> ir.Module:
    """The module; what the converter refuses as a whole is tried in part, if no more of it is asked for."""
    pinned = ModelFile(bytearray(model.data))
    try:
        return _imported(pinned, names, job)
    except ModelError as refused:
        part = part_of(model, names, job.options.edits)
        if part is not None:
            return _tried(*part, job)
        if isinstance(refused, UnsupportedOperatorsError):
            with suppress(ModelError):
                return _imported(model, names, job, recorded=True)
        if isinstance(refused, RefusedError):
            refuse_first(pinned, job.where)
        raise


def _imported(model: ModelFile, names: Names, job: _Job, *, recorded: bool = False) -> ir.Module:
    """The module; with `recorded`, tensors between inputs and outputs have the shapes that the file says as well.

    These are right for inputs of the recorded shapes, and where the converter cannot infer them.
    """
    options, where = job.options, job.where
    if not options.keep_quantized:
        refuse_quantized(model, where)
    refuse_formats(model, where)
    _pin_shapes(model, options.shapes, where, recorded=recorded)
    module = _converted(model, where, job.context)
    function = _first_function(module, where)
    with job.context, ir.Location.unknown():
        block = function.regions[0].blocks[0]
        tensors = label_layers(block, model)
        densify(block, model)
        expand_custom(block)
        correct(block, model)
    adopt(module, function, tensors, names, options.edits, job.digest, where)
    if not options.edits.to_text():
        tell_scales(function, model)
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
