"""The process that compiles kernels: it reads jobs from its stdin, and writes object files to its stdout, pickled.

It takes what has come while it was busy as the next batch. IREE's process to compile one starts in .15 s, so it waits
for some kernels, or for the word that there are no more for now.
"""

from __future__ import annotations

import os
import pickle
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Condition, Thread
from typing import BinaryIO, Final, NoReturn

from quantune_mlir.backend.compile_cache import CompileCache
from quantune_mlir.backend.free_memory import give_back
from quantune_mlir.backend.iree_tool import UNVERIFIED, iree_compile, linked_by
from quantune_mlir.backend.kernel_batch import batch, join
from quantune_mlir.backend.kernel_job import Answer, Answers, KernelJob, KernelTarget, NoMore
from quantune_mlir.backend.kernel_lowering import llvm_flags, lower_to_llvm
from quantune_mlir.backend.kernel_object import KernelObject, kernel_objects
from quantune_mlir.errors import CompileError, QuantuneError
from quantune_mlir.files.processes import peak_mib, processors
from quantune_mlir.files.staging import scratch_directory
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.text import module_bytecode

_LINKER: Final = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    -o) shift; to=$1 ;;
    *.o) from=$1 ;;
  esac
  shift
done
exec cp "$from" "$to"
"""
"""Stands in for the linker: gives back the object file itself. There is nothing to link yet."""
_STAGES: Final = (
    "--compile-from=executable-targets",
    "--compile-to=hal",
    "--iree-hal-link-executables=false",
    UNVERIFIED,
)
_LEAST: Final = 16
_MOST: Final = 64
"""Kernels of a batch: of more, none is there before all are."""
_LARGEST_GROUP: Final = 32
"""Kernels of an executable, which costs as much as one of them."""


def compile_jobs(jobs: Sequence[KernelJob]) -> list[Answer]:
    """Compile kernels for one target; where one cannot be, each of them by itself."""
    try:
        with scratch_directory() as folder:
            made = _compiled({job.name: job.code for job in jobs}, folder, jobs[0].target)
    except (QuantuneError, OSError) as error:
        if len(jobs) > 1:
            return [answer for job in jobs for answer in compile_jobs([job])]
        return [(jobs[0].key, error)]
    for job in jobs:
        if job.cache is not None:
            cache = _opened(*job.cache)
            cache.put(job.key, made[job.name])
            if job.made_of:
                cache.put(job.made_of, job.name.encode())
    return [(job.key, made[job.name]) for job in jobs]


@cache
def _opened(directory: Path, limit: int) -> CompileCache:
    """One for each place: it knows how much this process wrote."""
    return CompileCache(directory, limit)


def _compiled(codes: dict[str, bytes], folder: Path, target: KernelTarget) -> dict[str, bytes]:
    """The object files of kernels, by name.

    Several go into one executable, as each costs as much as a kernel or two. Those that are not the same alone are
    compiled again, alone, and those that call functions of the C library together with it.
    """
    size = min(_LARGEST_GROUP, -(-len(codes) // processors()))
    objects = _objects(codes, folder, target, size)
    together = {name: codes[name] for name, found in objects.items() if not found.apart}
    objects |= _objects(together, folder, target)
    calling = {name: codes[name] for name, found in objects.items() if found.undefined}
    objects |= _objects(calling, folder, target, with_libraries=True)
    return {name: found.data for name, found in objects.items()}


def _objects(
    codes: dict[str, bytes], folder: Path, target: KernelTarget, size: int = 1, *, with_libraries: bool = False
) -> dict[str, KernelObject]:
    """Those of kernels that are compiled so many together."""
    if not codes:
        return {}
    source, binaries, linker = folder / "batch.mlirbc", folder / "binaries", folder / "linker.sh"
    module = batch(codes, target, make_context(), with_libraries=with_libraries)
    lower_to_llvm(module)
    groups = join(module, size)
    source.write_bytes(module_bytecode(module))
    linker.write_text(_LINKER)
    linker.chmod(0o700)
    binaries.mkdir(exist_ok=True)
    linking = f"--iree-llvmcpu-system-linker-path=sh {shlex.quote(str(linker))}"
    if with_libraries:
        linking = linked_by(linker)
    binaries_to = f"--iree-hal-dump-executable-binaries-to={binaries}"
    flags = [
        *target.flags,
        *_STAGES,
        *(() if with_libraries else llvm_flags(target.variant, target.attribute)),
        linking,
        binaries_to,
    ]
    iree_compile([str(source), *flags, "-o", os.devnull], target.name, folder=folder)
    files = list(binaries.iterdir())
    found: dict[str, KernelObject] = {}
    for names in groups:
        (file,) = (file for file in files if f"_{names[0]}_" in file.name)
        try:
            found |= kernel_objects(file.read_bytes(), names)
        except ValueError as error:
            raise CompileError(f"what IREE made of kernels cannot be used: {error}", where=target.name) from error
        file.unlink()
    return found


class Jobs:
    """Those that have come, and were not taken."""

    def __init__(self) -> None:
        self._awaited: list[KernelJob] = []
        self._others: list[KernelJob] = []
        self._is_closed = False
        self._changed = Condition()

    def receive(self, pipe: BinaryIO) -> None:
        """Take in all that comes through a pipe; end this process with it."""
        try:
            while True:
                message = pickle.load(pipe)
                with self._changed:
                    if isinstance(message, NoMore):
                        self._awaited += self._others
                        self._others = []
                    else:
                        self._others.append(message)
                    self._changed.notify()
        except (EOFError, pickle.UnpicklingError):
            self._close()

    def _close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        os.kill(os.getpid(), signal.SIGTERM)  # It interrupts the compiling of what nobody waits for any more.

    def next(self) -> list[KernelJob]:
        """Some for one target, once there are enough, or somebody waits for them. Raises SystemExit at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._awaited or len(self._others) >= _LEAST)
            if self._is_closed:
                _end()
            jobs = self._awaited or self._others
            taken = [job for job in jobs if job.target == jobs[0].target][:_MOST]
            jobs[:] = [job for job in jobs if job not in taken]
            return taken


def _end(*_: object) -> NoReturn:
    sys.exit(0)


def _pass_over(_: object) -> None:
    pass


def main() -> None:
    """Work until stdin is closed."""
    sys.unraisablehook = _pass_over  # An exit where Python can raise none, as in __del__: `next` raises it again.
    with suppress(BrokenPipeError, SystemExit):
        signal.signal(signal.SIGTERM, _end)  # From here on: an exit while the thread reads would be a fatal error.
        jobs = Jobs()
        Thread(target=jobs.receive, args=(sys.stdin.buffer,), daemon=True).start()
        while True:
            answers: Answers = compile_jobs(jobs.next()), peak_mib().get("compiler", 0)
            pickle.dump(answers, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            give_back()  # The next batch may be long in coming.
    os._exit(0)  # What is left to be written would reach nobody.
