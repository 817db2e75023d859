"""From a module to a static library: an object file with all kernels, and the schedule by which they are called.

IREE makes both in two steps, so that nothing is compiled twice: up to its executables, where the schedule can be read,
and from there to the object file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.backend.compiler import Source, from_executables, to_executables
from quantune_mlir.backend.deliverables.read_schedule import read_schedule
from quantune_mlir.backend.deliverables.schedule import BundleTensor, Schedule
from quantune_mlir.backend.iree_tool import iree_compile
from quantune_mlir.errors import CompileError, TargetError
from quantune_mlir.hardware.targets import Target
from quantune_mlir.mlir.bindings import ir

_KERNELS: Final = "kernels.o"
_HEADER: Final = "kernels.h"
_STATIC: Final = (
    "--iree-llvmcpu-link-embedded=false",
    "--iree-llvmcpu-link-static",
    "--iree-llvmcpu-debug-symbols=false",
    "--iree-opt-const-eval=true",  # There is no moment at which a bundle is loaded.
    f"--iree-llvmcpu-static-library-output-path={_KERNELS}",
)
"""Part of the target that IREE compiles each executable for, hence no path that differs from one to the next."""
_QUERY: Final = re.compile(r"^(\w+_library_query)\(", re.MULTILINE)


@dataclass(frozen=True)
class StaticLibrary:
    """Kernels, and how a program calls them.

    Attributes:
        kernels: the object file.
        query: the function in it that tells where the kernels are.
    """

    kernels: bytes
    query: str
    schedule: Schedule


def static_target(target: Target) -> Target:
    """`target`, of which IREE makes an object file. Raises TargetError if it is no machine code."""
    if target.backend != "llvm-cpu":
        raise TargetError(
            "is bytecode, of which no object file can be made",
            where=f"target {target.name}",
            remedy="choose a target of machine code, or --deliverable vmfb",
        )
    return target.model_copy(update={"flags": (*target.flags, *_STATIC)})


def compile_static(
    module: ir.Module, target: Target, inputs: Sequence[BundleTensor], outputs: Sequence[BundleTensor], name: str
) -> StaticLibrary:
    """The library of a `module` that is needed no more, made ready for `target`.

    Args:
        module: TOSA and dispatches of kernels; its @main has these inputs and outputs.
        target: from `static_target`.
        name: a C identifier; symbols that the library exports begin with it.

    Raises:
        CompileError: IREE refuses the module, or it does what C code without a runtime cannot do.
        OutputError: no room for temporary files.
    """
    _call(module, name)
    with Source(module, target, whole=True).arguments() as (folder, arguments):
        compiled = folder / f"{name}.mlir"
        schedule = read_schedule(to_executables(arguments, target, compiled, located=True), inputs, outputs)
        if schedule.functions == 0:
            return StaticLibrary(b"", "", schedule)
        iree_compile([*from_executables(compiled, target), "-o", os.devnull], target.name, folder=folder)
        query = _QUERY.search((folder / _HEADER).read_text(encoding="utf-8"))
        if query is None:
            raise CompileError("IREE's library has no query function", where=f"target {target.name}")
        return StaticLibrary((folder / _KERNELS).read_bytes(), query[1], schedule)


def compile_for_iree(module: ir.Module, target: Target, name: str) -> dict[str, bytes]:
    """Object file, header, and IREE's virtual machine's part as C, for firmware that has IREE's runtime; by file name.

    Arguments and errors are those of `compile_static`.
    """
    _call(module, name)
    with Source(module, target, whole=True).arguments() as (folder, arguments):
        code, compiled = folder / f"{name}.c", folder / f"{name}.mlir"
        to_executables(arguments, target, compiled)
        rest = [*from_executables(compiled, target), "--output-format=vm-c", "-o", str(code)]
        iree_compile(rest, target.name, folder=folder)
        return {name: (folder / name).read_bytes() for name in (_KERNELS, _HEADER, code.name)}


def _call(module: ir.Module, name: str) -> None:
    """Name a module, after which IREE names the library; else it is the file's name that the module was read from."""
    module.operation.attributes["sym_name"] = ir.StringAttr.get(name, module.context)
