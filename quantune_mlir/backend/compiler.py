"""From a module to a program: iree-compile, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from mmap import mmap
from pathlib import Path
from threading import Lock
from typing import Final

from quantune_mlir.backend.compile_cache import cache_in_use, digest
from quantune_mlir.backend.compiling import Compiling, untold
from quantune_mlir.backend.executable_sources import (
    VARIANT_PROBE,
    ExecutableVariant,
    brings_executables,
    move_executables,
)
from quantune_mlir.backend.expand_floats import expand_floats
from quantune_mlir.backend.free_memory import give_back
from quantune_mlir.backend.iree_tool import DELIVERING, ONE_THREAD, UNVERIFIED, iree_compile, versions
from quantune_mlir.backend.locations import give_places
from quantune_mlir.backend.program import Program, in_pages
from quantune_mlir.backend.program_kernels import ProgramKernels, can_link
from quantune_mlir.errors import CompileError, OutputError, TargetError
from quantune_mlir.files.staging import scratch_directory
from quantune_mlir.hardware.host_isa import cpu_name, host_flags
from quantune_mlir.hardware.targets import Target
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.edit import copy_module
from quantune_mlir.mlir.text import parse_module, write_text

_PROBING: Final = Lock()
KEEP_VARIABLE: Final = "QUANTUNE_KEEP_IR"
"""Names a folder for modules that IREE refuses; `--debug` sets it."""


class Source:
    """What a program is compiled from, in files: the module itself may go before IREE takes memory of its own."""

    def __init__(
        self,
        module: ir.Module,
        target: Target,
        kernels: ProgramKernels | None = None,
        *,
        whole: bool = False,
        made_from: str = "",
    ) -> None:
        """Write the files. The code of the module's executables leaves it.

        Args:
            module: what to compile.
            target: what for.
            kernels: has taken the code of kernels.
            whole: let IREE compile all of it at once, as a static library asks for.
            made_from: the key of all that the module follows from, by which `known_program` finds its program.

        Raises:
            OutputError: the files cannot be written.
        """
        self._target = target
        self._made_from = made_from
        self._flags = target.compile_flags()
        self._kernels = kernels
        with _temporary_files():
            self._folder = ExitStack()
            self._path = self._folder.enter_context(scratch_directory())
            self._kernels_path.mkdir()
            if self._kernels is None and not whole and brings_executables(module):
                self._kernels = program_kernels(target, module.context)
            if self._kernels is not None:
                self._kernels.take_all(module)
            elif brings_executables(module):
                move_executables(module, _variant(target, module.context), self._kernels_path)
                self._flags.append(f"--iree-hal-substitute-executable-sources-from={self._kernels_path}")
            give_places(module)
            with self._module.open("wb") as file:
                module.operation.write_bytecode(file)

    def compile(self, compiling: Compiling = untold) -> bytes:
        """The .vmfb; the files are gone then.

        Args:
            compiling: is told how far it is.

        Raises:
            CompileError: IREE refuses the module; the message holds its first lines.
            OutputError: the program cannot be written.
        """
        DELIVERING.set()
        return bytes(self._program(compiling))

    def load(self, compiling: Compiling = untold) -> Program:
        """The program, ready to run on this machine, in memory once only. See `compile`."""
        return Program(self._program(compiling))

    @contextmanager
    def arguments(self) -> Generator[tuple[Path, list[str]]]:
        """A folder for what comes out, and what to give to `iree_compile`. The folder is gone afterwards."""
        give_back()  # A module takes more memory than its network does, kernels above all.
        with _temporary_files(), self._folder:
            yield self._path, [str(self._module), *self._flags, UNVERIFIED]

    def _program(self, compiling: Compiling) -> mmap:
        """The .vmfb, from the cache if it was compiled before."""
        cache = cache_in_use()
        with self.arguments() as (folder, arguments):
            key = self._key() if cache else ""
            pages = cache.get(key) if cache else None
            if pages is None:
                with self._keeping_refused():
                    pages = in_pages(self._compiled(folder, arguments, compiling))
                if cache:
                    cache.put_later(key, lambda: pages)
        if cache and self._made_from:
            cache.put_later(self._made_from, key.encode)
        return pages

    def _compiled(self, folder: Path, arguments: list[str], compiling: Compiling) -> Path:
        """The .vmfb, and the object files that it is linked with."""
        program, target = folder / "program.vmfb", self._target
        if target.floats != "full":
            halfway = folder / "halfway.mlir"
            to_executables(arguments, target, halfway)
            arguments = from_executables(halfway, target)
        arguments = [*arguments, "-o", str(program)]
        linked = nullcontext(list[str]())
        if self._kernels is not None:
            linked = self._kernels.linked(self._kernels_path, compiling)
            arguments.append(ONE_THREAD)
        with self._telling_of_floats(), linked as linking:
            iree_compile([*arguments, *linking], target.name, folder=self._kernels_path)
        return program

    @contextmanager
    def _telling_of_floats(self) -> Generator[None]:
        """Says why the linker finds no routines for floats, where there are no instructions."""
        try:
            yield
        except CompileError as error:
            if self._target.floats != "none" or "undefined symbol" not in str(error):
                raise
            raise TargetError(
                "has no float instructions, and a .vmfb cannot call what computes floats without",
                where=f"target {self._target.name}",
                remedy="compute in integers (--integer-only), or make a C bundle: --deliverable c-bundle",
            ) from error

    @contextmanager
    def _keeping_refused(self) -> Generator[None]:
        """Copies a module that IREE refuses to the folder that KEEP_VARIABLE names, and says where."""
        try:
            yield
        except CompileError as error:
            kept = os.environ.get(KEEP_VARIABLE)
            if kept:
                place = Path(kept) / f"refused-{digest('refused', self._module.read_bytes())[:12]}.mlirbc"
                shutil.copyfile(self._module, place)
                raise CompileError(f"{error.what}\nits module: {place}", where=error.where) from error
            raise

    def _key(self) -> str:
        """A key of all that the program depends on. Kernels that are linked are named after what they are made of."""
        files = [self._module, *([] if self._kernels is not None else sorted(self._kernels_path.glob("*")))]
        flags = json.dumps([*self._target.compile_flags(), self._target.floats, *versions()])
        return digest("program", flags, *(part for file in files for part in (file.name, file.read_bytes())))

    @property
    def _module(self) -> Path:
        return self._path / "source.mlirbc"

    @property
    def _kernels_path(self) -> Path:
        return self._path / "kernels"


class KnownProgram:
    """A program that was compiled before, to be had as from its `Source`."""

    def __init__(self, pages: mmap) -> None:
        self._pages = pages

    def compile(self, compiling: Compiling = untold) -> bytes:
        """The .vmfb."""
        return bytes(self._pages)

    def load(self, compiling: Compiling = untold) -> Program:
        """The program, ready to run on this machine."""
        return Program(self._pages)


def program_kernels(target: Target, context: ir.Context) -> ProgramKernels | None:
    """Who takes the kernels of a program for `target`; None where IREE compiles them as a part of it."""
    variant = _variant(target, context)
    return ProgramKernels(variant, target) if can_link(variant, target) else None


def known_program(made_from: str) -> KnownProgram | None:
    """The program of a module that followed from the same; None if there is none in the cache."""
    cache = cache_in_use()
    key = cache.get(made_from) if cache else None
    pages = cache.get(bytes(key).decode()) if cache and key is not None else None
    return None if pages is None else KnownProgram(pages)


def compiler_key(target: Target) -> str:
    """A key of what compiles for a target, and of this machine."""
    return digest(json.dumps([target.model_dump(), *versions(), cpu_name(), *sorted(host_flags())], sort_keys=True))


def to_executables(arguments: Sequence[str], target: Target, path: Path, *, located: bool = False) -> ir.Module:
    """Compile what `Source.arguments` gave as far as LLVM, and write that to a file; the module that it holds.

    It has no float operation that the target has not. It goes through text: in bytecode IREE loses large constants.
    With `located` the module has locations, the file has none: object files would hold them.
    Raises CompileError as `iree_compile` does.
    """
    locations = ["--mlir-print-debuginfo"] if located else []
    iree_compile([*arguments, *locations, "--compile-to=executable-targets", "-o", str(path)], target.name)
    module = parse_module(path.read_bytes(), make_context())
    if target.floats != "full":
        expand_floats(module)
    if target.floats != "full" or located:
        write_text(module, path)
    return module


def from_executables(path: Path, target: Target) -> list[str]:
    """The arguments of iree-compile that compile the rest of what `to_executables` wrote."""
    return [str(path), "--compile-from=executable-targets", *target.compile_flags(), UNVERIFIED]


def compile_module(module: ir.Module, target: Target) -> bytes:
    """The .vmfb of `module`, which stays as it is. Raises as `Source` does."""
    return Source(copy_module(module), target).compile()


def compile_bytes(source: bytes, target: Target) -> bytes:
    """The .vmfb of a module given as MLIR text or bytecode. Raises CompileError as `compile_module` does."""
    return iree_compile(["-", *target.compile_flags()], target.name, source)


@contextmanager
def _temporary_files() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"temporary files cannot be written: {error.strerror}",
            where=error.filename or tempfile.gettempdir(),
            remedy="make room, or name another folder in the environment variable TMPDIR",
        ) from error


def describe_target(target: Target) -> None:
    """Have IREE tell what it calls a target; `Source` then need not wait for that. Raises CompileError."""
    _probe(target.name, tuple(target.compile_flags()))


def _variant(target: Target, context: ir.Context) -> ExecutableVariant:
    return ExecutableVariant.of(parse_module(_probe(target.name, tuple(target.compile_flags())), context))


def _probe(target: str, flags: tuple[str, ...]) -> bytes:
    """A module with an executable, as IREE makes them for a target."""
    with _PROBING:
        return _probed(target, flags)


@cache
def _probed(target: str, flags: tuple[str, ...]) -> bytes:
    cache = cache_in_use()
    key = digest("probe", VARIANT_PROBE, json.dumps([*flags, *versions(), cpu_name(), *sorted(host_flags())]))
    if cache and (known := cache.get(key)) is not None:
        return bytes(known)
    made = iree_compile(["-", *flags, "--compile-to=executable-sources"], target, VARIANT_PROBE.encode())
    if cache:
        cache.put(key, made)
    return made
