"""From a module to a program: iree-compile, in a process of its own."""

from __future__ import annotations

import io
from typing import Final

from iree.compiler import tools as iree_tools

from quantune_mlir.errors import CompileError
from quantune_mlir.execution.targets import Target
from quantune_mlir.ir.mlir import ir

_MESSAGE_LINES: Final = 12


def compile_module(module: ir.Module, target: Target) -> bytes:
    """The .vmfb of `module`.

    Raises:
        CompileError: IREE refuses the module; the message holds its first lines.
    """
    bytecode = io.BytesIO()
    module.operation.write_bytecode(bytecode)
    return compile_bytes(bytecode.getvalue(), target)


def compile_bytes(source: bytes, target: Target) -> bytes:
    """The .vmfb of a module given as MLIR text or bytecode. Raises CompileError as `compile_module` does."""
    try:
        program = iree_tools.compile_str(source, extra_args=target.compile_flags())
    except iree_tools.CompilerToolError as error:
        raise CompileError(
            f"IREE cannot compile the module:\n{_diagnostics(str(error))}", where=f"target {target.name}"
        ) from error
    assert program is not None, "compile_str returns nothing only where an output file is asked for"
    return program


def _diagnostics(message: str) -> str:
    """The first lines of what iree-compile said, or, if it said nothing, how it ended."""
    head, _, tail = message.partition("Diagnostics:\n")
    said, _, _ = tail.partition("Invoked with:")
    lines = [line for line in (said if said.strip() else head).splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[:_MESSAGE_LINES])
