"""Object files of kernels: from the cache, or compiled, by all cores at once."""

from __future__ import annotations

import os
import shlex
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from iree.compiler.tools.binaries import find_tool

from quantune_mlir.backend.compile_cache import cache_in_use, digest
from quantune_mlir.backend.iree_tool import UNVERIFIED, iree_compile, versions
from quantune_mlir.backend.kernel_lowering import PASSES, lower_to_llvm
from quantune_mlir.backend.kernel_object import KernelObject, kernel_object
from quantune_mlir.backend.kernel_units import batch, join
from quantune_mlir.errors import CompileError
from quantune_mlir.hardware.targets import Target
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
_WAITING_LINKER: Final = """#!/bin/sh
cat {ready}
exec {linker} "$@"
"""
"""Waits until the pipe `ready` is closed: all object files are there then."""
_LARGEST_GROUP: Final = 32
_STAGES: Final = (
    "--compile-from=executable-targets",
    "--compile-to=hal",
    "--iree-hal-link-executables=false",
    UNVERIFIED,
)


def take_known_objects(names: Sequence[str], folder: Path, target: Target) -> list[str]:
    """Write the object files that were made before to `folder`; the names of the kernels that have none."""
    cache = cache_in_use()
    missing: list[str] = []
    for name in names:
        known = cache.get(_key(name, target)) if cache else None
        if known is None:
            missing.append(name)
        else:
            (folder / f"{name}.o").write_bytes(known)
    return missing


@contextmanager
def linked_with_objects(names: Sequence[str], folder: Path, target: Target) -> Generator[list[str]]:
    """What to tell IREE, called meanwhile, for it to link a program once `make_objects` has made its objects.

    Raises as `make_objects` does.
    """
    ready, linker = folder / "ready", folder / "waiting_linker.sh"
    linker.write_text(_WAITING_LINKER.format(ready=shlex.quote(str(ready)), linker=shlex.quote(find_tool("iree-lld"))))
    linker.chmod(0o700)
    for name in names:
        (folder / f"{name}.o").touch()
    os.mkfifo(ready)
    opened = os.open(ready, os.O_RDWR)
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(_make_in_time, names, folder, target, ready, opened)
        try:
            yield [f"--iree-llvmcpu-embedded-linker-path={linker}"]
        finally:
            made.result()


def _make_in_time(names: Sequence[str], folder: Path, target: Target, ready: Path, opened: int) -> None:
    try:
        make_objects(names, folder, target)
    finally:
        made = folder / "made"
        made.touch()
        os.replace(made, ready)  # Who opens it from now on need not wait.
        os.close(opened)


def make_objects(names: Sequence[str], folder: Path, target: Target) -> None:
    """Compile each kernel in `folder` to an object file beside its source.

    Args:
        names: of the kernels, see `take_kernels`.
        folder: where their sources are.
        target: what to compile for.

    Raises:
        CompileError: IREE refuses a kernel.
    """
    cache = cache_in_use()
    for name, data in _compiled(names, folder, target).items():
        (folder / f"{name}.o").write_bytes(data)
        if cache:
            cache.put(_key(name, target), data)


def _key(name: str, target: Target) -> str:
    return digest("kernel", name, PASSES, *target.compile_flags(), *versions())


def _compiled(names: Sequence[str], folder: Path, target: Target) -> dict[str, bytes]:
    """The object files of kernels.

    Several go into one executable, as each costs as much as a kernel or two. Those that are not the same alone are
    compiled again, alone, and those that call functions of the C library together with it.
    """
    size = max(1, min(_LARGEST_GROUP, len(names) // (os.cpu_count() or 1)))
    objects = _objects(names, folder, target, size)
    together = [name for name, found in objects.items() if not found.apart]
    objects |= _objects(together, folder, target)
    calling = [name for name, found in objects.items() if found.undefined]
    objects |= _objects(calling, folder, target, with_libraries=True)
    return {name: found.data for name, found in objects.items()}


def _objects(
    kernels: Sequence[str], folder: Path, target: Target, size: int = 1, *, with_libraries: bool = False
) -> dict[str, KernelObject]:
    """Those of kernels that are compiled so many together."""
    if not kernels:
        return {}
    source, binaries, linker = folder / "batch.mlirbc", folder / "binaries", folder / "linker.sh"
    module = batch(kernels, folder, make_context(), with_libraries=with_libraries)
    lower_to_llvm(module)
    groups = join(module, size)
    source.write_bytes(module_bytecode(module))
    linker.write_text(_LINKER)
    linker.chmod(0o700)
    binaries.mkdir(exist_ok=True)
    linking = f"--iree-llvmcpu-system-linker-path=sh {shlex.quote(str(linker))}"
    if with_libraries:
        linking = f"--iree-llvmcpu-embedded-linker-path={linker}"
    binaries_to = f"--iree-hal-dump-executable-binaries-to={binaries}"
    flags = [*target.compile_flags(), *_STAGES, linking, binaries_to, "-o", os.devnull]
    iree_compile([str(source), *flags], target.name)
    files = list(binaries.iterdir())
    found: dict[str, KernelObject] = {}
    for names in groups:
        (file,) = (file for file in files if f"_{names[0]}_" in file.name)
        for name in names:
            try:
                found[name] = kernel_object(file.read_bytes(), name)
            except ValueError as error:
                raise CompileError(f"what IREE made of {name} cannot be used: {error}", where=target.name) from error
        file.unlink()
    return found
