"""Kernels of a program, compiled one by one to object files named after what they are made of.

The program goes to IREE with one executable of jumps to these kernels, and with the object files to link. A kernel is
thus compiled once, whatever programs it is in, as soon as it is written, and all cores compile. What it is called in a
program, and how often it runs there, is no part of it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from iree.compiler.tools.binaries import find_tool

from quantune_mlir.backend.compile_cache import cache_in_use, digest
from quantune_mlir.backend.compiling import Compiling
from quantune_mlir.backend.executable_sources import ExecutableVariant, can_move, code_of, inside
from quantune_mlir.backend.iree_tool import linked_by, versions
from quantune_mlir.backend.kernel_batch import WITHOUT_PLACES
from quantune_mlir.backend.kernel_compiler import kernel_compiler
from quantune_mlir.backend.kernel_job import KernelJob, KernelTarget
from quantune_mlir.backend.kernel_lowering import PASSES, llvm_flags
from quantune_mlir.files import resources
from quantune_mlir.hardware.targets import Target
from quantune_mlir.kernels.emit.receiver import KERNEL, LAYOUT, TAKEN, Receiver
from quantune_mlir.mlir.bindings import flow, hal, ir, passmanager
from quantune_mlir.mlir.constants import CONSTANTS
from quantune_mlir.mlir.function import entry_block, functions
from quantune_mlir.mlir.text import module_bytecode, parse_module
from quantune_mlir.mlir.tosa.traits import traits_of

_LINKED: Final = frozenset({"embedded_elf_x86_64", "embedded_elf_arm_64"})
_NAME_LENGTH: Final = 32
_WITHOUT_HELPERS: Final = "builtin.module(inline,symbol-dce)"
_LINKER: Final = """#!/bin/sh
cat {ready}
for argument; do
  shift
  case "$argument" in *{objects}) argument=@{list} ;; esac
  set -- "$@" "$argument"
done
exec {linker} {flags} "$@"
"""
"""Waits until the pipe `ready` is closed: all object files are there then. They are told where IREE tells of one."""
_EMBEDDING: Final = (
    *("-flavor", "gnu", "--build-id=none", "--no-undefined", "--no-allow-shlib-undefined", "--gc-sections"),
    *("-z", "now", "-z", "relro", "--discard-all", "--icf=all", "--hash-style=sysv", "--allow-multiple-definition"),
    *("--ignore-data-address-equality", "--ignore-function-address-equality"),
)
"""What IREE says where it compiles its C library into an executable, and leaves out where it does not."""
_CALLING: Final = frozenset(
    {
        *("flow.dispatch", "flow.tensor.slice", "arith.constant", "util.global.load", "util.global.store"),
        *("func.return", *CONSTANTS),
    }
)
"""Ops of which IREE makes no machine code, beside those that move nothing."""
_OBJECTS: Final = "quantune_kernels.o"
"""An empty file: IREE wants to see what it has linked before it is compiled."""
_JUMPS: Final = "quantune_kernels"
_KERNEL_TEXT: Final = """
llvm.func @{name}(!llvm.ptr, !llvm.ptr, !llvm.ptr) -> i32 attributes {{hal.import.static}}
"""
_JUMP_TEXT: Final = """
llvm.func @{entry}(%environment: !llvm.ptr, %dispatch: !llvm.ptr, %workgroup: !llvm.ptr) -> i32 {{
  %0 = llvm.call tail @{name}(%environment, %dispatch, %workgroup) : (!llvm.ptr, !llvm.ptr, !llvm.ptr) -> i32
  llvm.return %0 : i32
}}
"""


def can_link(variant: ExecutableVariant, target: Target) -> bool:
    """Whether object files of this kind can be made here, and taken apart: see kernel_process.py, kernel_object.py."""
    return variant.name in _LINKED and os.name == "posix" and target.floats == "full"


class ProgramKernels(Receiver):
    """The kernels of one program."""

    def __init__(self, variant: ExecutableVariant, target: Target) -> None:
        """Begin with none; see `can_link`. No IR is kept: its context would be, with all constants of the program."""
        self._target = KernelTarget(target.name, tuple(target.compile_flags()), variant.name, str(variant.target))
        self._objects: dict[str, Future[bytes]] = {}
        self._called: list[str] = []
        """Those that the program calls, in the order in which they are linked."""
        self._with_libraries = True

    def take(self, code: bytes, made_of: str = "") -> str:
        """Have a kernel compiled, or found in the cache; its name. Raises CompileError if nobody can compile it."""
        kernel = f"{KERNEL}_{digest(code)[:_NAME_LENGTH]}"
        if kernel not in self._objects:
            self._objects[kernel] = self._object(kernel, code, _made_of_key(made_of) if made_of else "")
        return kernel

    def recall(self, made_of: str) -> str | None:
        """What the kernel is called that was made of the same; None if it, or its object file, is not in the cache."""
        cache = cache_in_use()
        known = cache.get(_made_of_key(made_of)) if cache else None
        if cache is None or known is None:
            return None
        kernel = bytes(known).decode()
        if kernel not in self._objects:
            made = cache.get(self._object_key(kernel))
            if made is None:
                return None
            self._objects[kernel] = _done(bytes(made))
        return kernel

    def _object(self, kernel: str, code: bytes, made_of: str) -> Future[bytes]:
        cache = cache_in_use()
        key = self._object_key(kernel)
        known = cache.get(key) if cache else None
        if known is None:
            place = (cache.directory, cache.limit) if cache else None
            return kernel_compiler().compile(KernelJob(kernel, code, self._target, place, key, made_of))
        if cache and made_of:
            cache.put(made_of, kernel.encode())
        return _done(bytes(known))

    def _object_key(self, kernel: str) -> str:
        target = self._target
        flags = *target.flags, *llvm_flags(target.variant, target.attribute)
        return digest("kernel", kernel, PASSES, target.attribute, *flags, *versions())

    def take_all(self, module: ir.Module) -> None:
        """Take the kernels whose code is in `module`, and leave there, of all, jumps to object files of their names."""
        taken: dict[str, hal.ExecutableSourceOp] = {}
        with module.context:
            for source in list(module.body.operations):
                if not isinstance(source, hal.ExecutableSourceOp):
                    continue
                if TAKEN not in source.attributes and can_move(source) and len(_exports(source)) == 1:
                    source.attributes[TAKEN] = ir.StringAttr.get(self.take(_code(source)))
                if TAKEN in source.attributes:
                    taken[source.sym_name.value] = source
            if taken:
                self._leave_jumps(module, taken)
            if all(_calls(op.operation) for function in functions(module) for op in entry_block(function)):
                self._leave_libraries(module)
        if not all(found.done() for found in self._objects.values()):
            kernel_compiler().hurry()

    @property
    def names(self) -> list[str]:
        """Those of the object files."""
        return list(self._objects)

    @contextmanager
    def linked(self, folder: Path, compiling: Compiling) -> Generator[list[str]]:
        """What to tell IREE, called in `folder` meanwhile, for it to link a program with the objects, which come there.

        Args:
            folder: an empty one.
            compiling: is told of each object that is there.

        Raises:
            CompileError: IREE refuses a kernel.
            OSError: files cannot be written.
        """
        ready, linker, listed = folder / "ready", folder / "linker.sh", folder / "objects"
        (folder / _OBJECTS).touch()
        numbers = {name: number for number, name in enumerate(self._objects)}
        listed.write_text("".join(f"{_file(numbers[name])}\n" for name in self._called))
        told = {"ready": ready, "list": listed, "linker": find_tool("iree-lld")}
        quoted = {name: shlex.quote(str(path)) for name, path in told.items()}
        flags = () if self._with_libraries else _EMBEDDING
        linker.write_text(_LINKER.format(objects=_OBJECTS, flags=" ".join(flags), **quoted))
        linker.chmod(0o700)
        os.mkfifo(ready)
        opened = os.open(ready, os.O_RDWR)
        awaited = [found for found in self._objects.values() if not found.done()]
        telling = compiling(len(self._objects)) if awaited else nullcontext(lambda: None)
        with telling as tick, ThreadPoolExecutor(1) as pool:
            for found in self._objects.values():
                found.add_done_callback(lambda _: tick())
            made = pool.submit(self._write_in_time, folder, ready, opened)
            try:
                searching = "--iree-hal-executable-object-search-path=."
                yield [searching, linked_by(linker, embedding=self._with_libraries)]
            finally:
                made.result()

    def _write_in_time(self, folder: Path, ready: Path, opened: int) -> None:
        try:
            for number, found in enumerate(self._objects.values()):
                (folder / _file(number)).write_bytes(found.result())
        finally:
            made = folder / "made"
            made.touch()
            os.replace(made, ready)  # Who opens it from now on need not wait.
            os.close(opened)

    def _leave_libraries(self, module: ir.Module) -> None:
        """Have IREE link no C library: jumps call nothing else, and it takes as long to compile as they do."""
        self._with_libraries = False
        target = self._target.options(with_libraries=False, of_kernels=False)
        module.operation.attributes["hal.device.targets"] = ir.Attribute.parse(
            f'[#hal.device.target<"local", [{target}]>]'
        )

    def _leave_jumps(self, module: ir.Module, taken: Mapping[str, hal.ExecutableSourceOp]) -> None:
        """One executable instead of those taken, by name: each costs IREE as much as a hundred jumps do."""
        kernels = {entry: ir.StringAttr(source.attributes[TAKEN]).value for entry, source in taken.items()}
        names = list(dict.fromkeys(kernels.values()))
        texts = [_KERNEL_TEXT.format(name=name) for name in names]
        texts += [_JUMP_TEXT.format(name=name, entry=entry) for entry, name in kernels.items()]
        code = parse_module("".join(texts), module.context)
        with ir.Location.unknown(), ir.InsertionPoint.at_block_begin(module.body):
            jumps = hal.ExecutableSourceOp(_JUMPS, sym_visibility="private")
        with ir.Location.unknown(), ir.InsertionPoint(jumps.regions[0].blocks.append()):
            for ordinal, (entry, source) in enumerate(taken.items()):
                (export,) = _exports(source)
                copy = export.operation.clone()
                copy.attributes["sym_name"] = ir.StringAttr.get(entry)
                copy.attributes["ordinal"] = ir.IntegerAttr.get(ir.IndexType.get(), ordinal)
            code.operation.clone()
            hal.ExecutableSourceEndOp()
        self._called = names
        one = f'#hal.executable.object<{{path = "{_OBJECTS}"}}>'
        objects = f"#hal.executable.objects<{{{self._target.attribute} = [{one}]}}>"
        jumps.attributes["objects"] = ir.Attribute.parse(objects)
        for source in taken.values():
            source.operation.erase()
        for function in functions(module):
            function.walk(_calling_jumps(taken))


def _file(number: int) -> str:
    """What the object file of a kernel is called, short."""
    return f"{number}.o"


def _made_of_key(made_of: str) -> str:
    return digest("made of", made_of, resources.code_digest())


def _done(result: bytes) -> Future[bytes]:
    found = Future[bytes]()
    found.set_result(result)
    return found


def _calls(op: ir.Operation) -> bool:
    return op.name in _CALLING or traits_of(op).moves == "stays"


def _exports(source: hal.ExecutableSourceOp) -> list[hal.ExecutableExportOp]:
    """The functions that a program dispatches."""
    return [op for op in inside(source) if isinstance(op, hal.ExecutableExportOp)]


def _code(source: hal.ExecutableSourceOp) -> bytes:
    """That of the only kernel of `source`, as it is handed to a receiver."""
    with ir.Location.unknown():
        alone = ir.Module.create()
        for op in code_of(source):
            op.operation.clone(ip=ir.InsertionPoint(alone.body))
    if len(alone.body.operations) > 1:
        passmanager.PassManager.parse(_WITHOUT_HELPERS).run(alone.operation)
    passmanager.PassManager.parse(WITHOUT_PLACES).run(alone.operation)
    (function,) = alone.body.operations
    (export,) = _exports(source)
    function.attributes["sym_name"] = ir.StringAttr.get(KERNEL)
    function.attributes[LAYOUT] = export.attributes["layout"]
    return module_bytecode(alone)


def _calling_jumps(taken: Collection[str]) -> Callable[[ir.Operation], ir.WalkResult]:
    def call(op: ir.Operation) -> ir.WalkResult:
        if isinstance(op.opview, flow.DispatchOp):
            (entry,) = ir.ArrayAttr(op.attributes["entry_points"])
            executable, *_ = ir.SymbolRefAttr(entry).value
            if executable in taken:
                op.attributes["entry_points"] = ir.ArrayAttr.get([ir.SymbolRefAttr.get([_JUMPS, executable])])
        return ir.WalkResult.ADVANCE

    return call
