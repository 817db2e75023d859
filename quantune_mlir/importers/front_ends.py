"""Which front end reads which file, and what one hands over. The only place that tells kinds of models apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quantune_mlir.importers.common.import_options import DEFAULT, ImportOptions
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.function import main_function
from quantune_mlir.mlir.signature import argument_specs, model_hash, result_specs

_HEAD: Final = 16


@dataclass(frozen=True)
class FrontEnd:
    """A kind of model file.

    Attributes:
        name: what people call it.
        suffixes: what such files are called, if their content does not tell.
        begins_file: whether the first bytes of a file are those of this kind for certain.
        load: reads a file into a module of a context; whether that is simplified already. Raises ModelError.
    """

    name: str
    suffixes: tuple[str, ...]
    begins_file: Callable[[bytes], bool]
    load: Callable[[Path, ImportOptions, ir.Context], tuple[ir.Module, bool]]


@dataclass(frozen=True)
class Imported:
    """A model as a front end hands it over: a module with one function, `@main`, of labelled TOSA ops.

    Attributes:
        module: as imported, before any pass.
        front_end: who read it.
        source: the file.
        is_simplified: whether the file was written by this project, so that its module is simplified already.
    """

    module: ir.Module
    front_end: FrontEnd
    source: Path
    is_simplified: bool

    @property
    def hash(self) -> str | None:
        """SHA-256 of what was computed from; None: the module does not say."""
        return model_hash(self.module.operation)

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """What inputs and outputs are called."""
        function = main_function(self.module)
        return [name for name, *_ in argument_specs(function)], [name for name, *_ in result_specs(function)]


def load(path: Path, options: ImportOptions = DEFAULT, context: ir.Context | None = None) -> Imported:
    """Read a model of any kind; a file of no kind that is known is taken for ONNX.

    Raises:
        ModelError: the file is missing, broken, or cannot be imported.
    """
    front_end = find_front_end(path)
    module, is_simplified = front_end.load(path, options, context or make_context())
    return Imported(module, front_end, path, is_simplified)


def find_front_end(path: Path, *, otherwise: FrontEnd | None = None) -> FrontEnd:
    """The front end of a file: by its first bytes, else by its name.

    Args:
        path: the file; it need not exist.
        otherwise: the front end of a file that neither tells; ONNX, if it is None.
    """
    head = _head(path)
    for front_end in FRONT_ENDS:
        if front_end.begins_file(head):
            return front_end
    suffix = path.suffix.lower()
    named = (front_end for front_end in FRONT_ENDS if suffix in front_end.suffixes)
    return next(named, otherwise or ONNX)


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(_HEAD)
    except (OSError, ValueError):  # the front end tells what is wrong with it
        return b""


# Each of these imports its front end when it is needed: onnx takes long to import, and not every one has a converter.


def _load_onnx(path: Path, options: ImportOptions, context: ir.Context) -> tuple[ir.Module, bool]:
    from quantune_mlir.importers.onnx import import_onnx

    shapes = options.shapes
    module = import_onnx(
        path,
        batch=shapes.batch,
        shapes=shapes.given,
        samples=shapes.samples,
        edits=options.edits,
        keep_quantized=options.keep_quantized,
        context=context,
    )
    return module, False


def _load_tflite(path: Path, options: ImportOptions, context: ir.Context) -> tuple[ir.Module, bool]:
    from quantune_mlir.importers.tflite import import_tflite

    return import_tflite(path, options, context), False


def _load_mlir(path: Path, options: ImportOptions, context: ir.Context) -> tuple[ir.Module, bool]:
    from quantune_mlir.importers.mlir import import_mlir

    return import_mlir(path, options, context)


def _begins_onnx(head: bytes) -> bool:
    """Whether the first field is the version of ONNX's format, a number below 128, as exporters write it."""
    return head[:1] == b"\x08" and head[1:2] < b"\x80"


TFLITE: Final = FrontEnd("TensorFlow Lite", (".tflite",), lambda head: head[4:8] == b"TFL3", _load_tflite)
MLIR: Final = FrontEnd("MLIR", (".mlir", ".mlirbc"), lambda head: head.startswith(b"ML\xefR"), _load_mlir)
ONNX: Final = FrontEnd("ONNX", (".onnx",), _begins_onnx, _load_onnx)
FRONT_ENDS: Final = (TFLITE, MLIR, ONNX)
"""In the order in which their first bytes are looked for."""
