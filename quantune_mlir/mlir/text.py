"""Modules from and to text and bytecode."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, Final

from quantune_mlir.errors import ModelError
from quantune_mlir.files.access import MIB, read_file
from quantune_mlir.mlir.bindings import ir

LARGEST: Final = 4096 * MIB
_BYTECODE_MAGIC: Final = b"ML\xefR"
_REMEDY: Final = "mend the file, or make it again with the version of MLIR that reads it here"
_PLACE: Final = re.compile(r'":(\d+):(\d+)')


def load_module(path: Path, context: ir.Context) -> ir.Module:
    """The module in the file `path`, MLIR text or bytecode. Raises ModelError, with `path:line:column` for text."""
    _check_is_mlir(read_file(path, limit=LARGEST, error=ModelError), str(path))
    try:
        return ir.Module.parseFile(str(path), context)
    except (ir.MLIRError, RuntimeError) as error:
        raise _model_error(error, str(path)) from error


def parse_module(data: str | bytes, context: ir.Context, *, name: str = "<string>") -> ir.Module:
    """The module in `data`, MLIR text or bytecode.

    Args:
        name: what to call the source in errors, e.g. its path.

    Raises:
        ModelError: not MLIR, or it does not verify; `where` is `name:line:column` for text.
    """
    if isinstance(data, bytes):
        _check_is_mlir(data, name)
        data = data if data.startswith(_BYTECODE_MAGIC) else data.decode("utf-8")
    try:
        return ir.Module.parse(data, context)
    except (ir.MLIRError, RuntimeError) as error:
        raise _model_error(error, name) from error


def module_text(
    module: ir.Module, *, generic: bool = False, debug_info: bool = False, elide_above: int | None = None
) -> str:
    """`module` as text. Constants of more than `elide_above` elements are elided (the text cannot be read back)."""
    try:
        text = module.operation.get_asm(
            print_generic_op_form=generic, enable_debug_info=debug_info, large_elements_limit=elide_above
        )
    except (RuntimeError, UnicodeDecodeError) as error:  # as the bindings tell it
        raise ModelError("the module holds text that is not UTF-8", remedy="make the file again") from error
    return text.rstrip("\n") + "\n"


def write_text(module: ir.Module, path: Path, *, generic: bool = False) -> None:
    """`module` as text to a file. The text, twice as large as the constants, is never in memory as a whole."""
    with path.open("wb") as file:
        module.operation.print(file=file, binary=True, print_generic_op_form=generic)


def module_bytecode(module: ir.Module) -> bytes:
    """`module` as MLIR bytecode."""
    buffer = io.BytesIO()
    module.operation.write_bytecode(buffer)
    return buffer.getvalue()


def _check_is_mlir(data: bytes, name: str) -> None:
    try:
        if not data.startswith(_BYTECODE_MAGIC):
            data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError("neither MLIR text nor MLIR bytecode", where=name, remedy=_REMEDY) from error


def _model_error(error: Exception, name: str) -> ModelError:
    """RuntimeErrors are those of the bindings, that what MLIR quotes is not UTF-8."""
    unreadable = ModelError("cannot be read as MLIR", where=name, remedy=_REMEDY)
    diagnostics: Any = getattr(error, "error_diagnostics", None)
    if not diagnostics:
        return unreadable
    try:
        message, place = diagnostics[0].message, _PLACE.search(str(diagnostics[0].location))
    except (RuntimeError, UnicodeDecodeError):
        return unreadable
    where = name if place is None or place.group(1) == "0" else f"{name}:{place.group(1)}:{place.group(2)}"
    return ModelError(message, where=where, remedy=_REMEDY)
