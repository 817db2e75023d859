"""From a module to a program: iree-compile, in a process of its own."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from mmap import mmap
from pathlib import Path
from typing import Final

from iree.compiler.tools.binaries import find_tool

from quantune_mlir._versions import installed_version
from quantune_mlir.errors import CompileError, OutputError
from quantune_mlir.execution.compile_cache import cache_in_use, digest
from quantune_mlir.execution.executable_sources import PROBE, Variant, brings_executables, move_executables
from quantune_mlir.execution.expand_floats import expand_floats
from quantune_mlir.execution.host_isa import cpu_name, host_flags
from quantune_mlir.execution.locations import give_places
from quantune_mlir.execution.memory import give_back
from quantune_mlir.execution.program import Program, in_pages
from quantune_mlir.execution.targets import Target
from quantune_mlir.ir.edit import copy_module
from quantune_mlir.ir.mlir import ir, make_context
from quantune_mlir.ir.text import parse_module, write_text
from quantune_mlir.processes import run_child
from quantune_mlir.staging import scratch_directory

_MESSAGE_LINES: Final = 12
_ASIDE: Final = ("NOTE: hal.executable ", "WARNING: iree-hal-substitute-executables ")
"""What IREE says of every executable that it takes from a file, or has no use for."""


class Source:
    """What a program is compiled from, in files: the module itself may go before IREE takes memory of its own."""

    def __init__(self, module: ir.Module, target: Target) -> None:
        """Write the files. The code of the module's executables leaves it. Raises OutputError if they cannot be."""
        self._target = target
        self._flags = target.compile_flags()
        with _temporary_files():
            self._folder = ExitStack()
            self._path = self._folder.enter_context(scratch_directory())
            if brings_executables(module):
                variant = Variant.of(parse_module(_probe(target.name, tuple(self._flags)), module.context))
                (kernels := self._path / "kernels").mkdir()
                move_executables(module, variant, kernels)
                self._flags.append(f"--iree-hal-substitute-executable-sources-from={kernels}")
            give_places(module)
            with self._module.open("wb") as file:
                module.operation.write_bytecode(file)

    def compile(self) -> bytes:
        """The .vmfb; the files are gone then.

        Raises:
            CompileError: IREE refuses the module; the message holds its first lines.
            OutputError: the program cannot be written.
        """
        return bytes(self._program())

    def load(self) -> Program:
        """The program, ready to run on this machine, in memory once only. Raises as `compile` does."""
        return Program(self._program())

    @contextmanager
    def arguments(self) -> Generator[tuple[Path, list[str]]]:
        """A folder for what comes out, and what to give to `iree_compile`. The folder is gone afterwards."""
        give_back()  # A module takes more memory than its network does, kernels above all.
        with _temporary_files(), self._folder:
            yield self._path, [str(self._module), *self._flags]

    def _program(self) -> mmap:
        """The .vmfb, from the cache if it was compiled before."""
        cache = cache_in_use()
        with self.arguments() as (folder, arguments):
            key = self._key() if cache else ""
            known = cache.get(key) if cache else None
            if known is not None:
                return known
            program = folder / "program.vmfb"
            if self._target.floats != "full":
                compiled = folder / "compiled.mlir"
                to_executables(arguments, self._target, compiled)
                arguments = from_executables(compiled, self._target)
            iree_compile([*arguments, "-o", str(program)], self._target.name)
            pages = in_pages(program)
        if cache:
            cache.put(key, pages)
        return pages

    def _key(self) -> str:
        """Of all that the program depends on."""
        files = [self._module, *sorted(self._path.glob("kernels/*"))]
        flags = json.dumps([*self._target.compile_flags(), self._target.floats, *_versions()])
        return digest("program", flags, *(part for file in files for part in (file.name, file.read_bytes())))

    @property
    def _module(self) -> Path:
        return self._path / "source.mlirbc"


def to_executables(arguments: Sequence[str], target: Target, path: Path) -> ir.Module:
    """Compile what `Source.arguments` gave as far as LLVM, and write that to a file; the module that it holds.

    It has no float operation that the target has not. It goes through text: in bytecode IREE loses large constants.
    Raises CompileError as `iree_compile` does.
    """
    iree_compile([*arguments, "--compile-to=executable-targets", "-o", str(path)], target.name)
    module = parse_module(path.read_bytes(), make_context())
    if target.floats != "full":
        expand_floats(module)
        write_text(module, path)
    return module


def from_executables(path: Path, target: Target) -> list[str]:
    """The arguments of iree-compile that compile the rest of what `to_executables` wrote."""
    return [str(path), "--compile-from=executable-targets", *target.compile_flags()]


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
            where=error.filename,
            remedy="make room, or name another folder in the environment variable TMPDIR",
        ) from error


@cache
def _probe(target: str, flags: tuple[str, ...]) -> bytes:
    """A module with an executable, as IREE makes them for a target."""
    cache = cache_in_use()
    key = digest("probe", PROBE, json.dumps([*flags, *_versions(), cpu_name(), *sorted(host_flags())]))
    if cache and (known := cache.get(key)) is not None:
        return bytes(known)
    made = iree_compile(["-", *flags, "--compile-to=executable-sources"], target, PROBE.encode())
    if cache:
        cache.put(key, made)
    return made


@cache
def _versions() -> tuple[str, ...]:
    """What compiles."""
    return tuple(f"{name} {installed_version(name)}" for name in ("quantune-mlir", "iree-base-compiler"))


def iree_compile(arguments: Sequence[str], target: str, source: bytes = b"", *, folder: Path | None = None) -> bytes:
    """What iree-compile prints, called in `folder`. `target` is for the error: CompileError if it fails."""
    command = [find_tool("iree-compile"), "--mlir-print-op-on-diagnostic=false", *arguments]
    done = run_child(command, source=source, environment={"TMPDIR": tempfile.gettempdir()}, folder=folder)
    if done.returncode:
        said = _diagnostics(done.stderr.decode(errors="replace")) or f"  it ended with status {done.returncode}"
        if done.returncode < 0:
            said = f"  iree-compile crashed ({signal.Signals(-done.returncode).name})"
        raise CompileError(f"IREE cannot compile the module:\n{said}", where=f"target {target}")
    return done.stdout


def _diagnostics(message: str) -> str:
    """The first lines of what iree-compile said."""
    lines = [line for line in message.splitlines() if line.strip() and not line.startswith(_ASIDE)]
    return "\n".join(f"  {line}" for line in lines[:_MESSAGE_LINES])
