"""iree-compile, in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Event
from typing import Final

from iree.compiler.tools.binaries import find_tool

from quantune_mlir._versions import installed_version
from quantune_mlir.errors import CompileError, TargetError
from quantune_mlir.files.processes import run_child

UNVERIFIED: Final = "--verify=false"
"""For modules that are known to be valid: a fifth of the time is spent to find that out after each pass."""
ONE_THREAD: Final = "--mlir-disable-threading"
"""For modules with little code of their own: each thread sets up all passes for itself, a tenth of the time."""
DELIVERING: Final = Event()
"""Set as soon as a program is waited for that may be delivered: few of its kernels are new, so that a core is idle."""
_LINKER: Final = "--iree-llvmcpu-embedded-linker-path="
_OTHER_LINKER: Final = "--iree-llvmcpu-system-linker-path="
_MESSAGE_LINES: Final = 12
_UNKNOWN: Final = {
    "triple": re.compile(r"createTargetMachine\(([^)]*)\) failed"),
    "cpu": re.compile(r"'([^']*)' is not a recognized processor"),
    "features": re.compile(r"'([^']*)' is not a recognized feature"),
}
_ASIDE: Final = ("NOTE: hal.executable ", "WARNING: iree-hal-substitute-executables ")
"""What IREE says of every executable that it takes from a file, or has no use for."""


def iree_compile(arguments: Sequence[str], target: str, source: bytes = b"", *, folder: Path | None = None) -> bytes:
    """What iree-compile prints, called in `folder`. `target` is for errors.

    It hands paths to a shell as they are: its temporary files are in `folder`, of which the shell hears as ".".

    Raises:
        TargetError: LLVM does not know the target's triple, CPU or features; it would go on without the last.
        CompileError: it fails.
    """
    command = [find_tool("iree-compile"), "--mlir-print-op-on-diagnostic=false", *arguments]
    if not any(argument.startswith(_LINKER) for argument in arguments):
        command.append(linked_by(find_tool("iree-lld")))
    here = folder or Path(tempfile.gettempdir())
    done = run_child(command, source=source, environment={"TMPDIR": "."}, folder=here)
    told = done.stderr.decode(errors="replace")
    _require_known(told, target)
    if done.returncode:
        said = _diagnostics(told) or f"  it ended with status {done.returncode}"
        if done.returncode < 0:
            said = f"  iree-compile crashed ({signal.Signals(-done.returncode).name})"
        raise CompileError(f"IREE cannot compile the module:\n{said}", where=f"target {target}")
    return done.stdout


def _require_known(told: str, target: str) -> None:
    """Raises TargetError if LLVM complained of the target."""
    for key, complaint in _UNKNOWN.items():
        if (found := complaint.search(told)) is not None:
            raise TargetError(
                f"{key}: LLVM knows no {found[1]!r}",
                where=f"target {target}",
                remedy=f"mend `{key}` in the target's file, see docs/targets.md",
            )


def linked_by(linker: str | Path, *, embedding: bool = True) -> str:
    """What tells iree-compile which program links what it embeds, or what it takes no library into; for a shell."""
    return (_LINKER if embedding else _OTHER_LINKER) + (shlex.quote(str(linker)) if os.name == "posix" else str(linker))


def _diagnostics(message: str) -> str:
    """The first lines of what iree-compile said."""
    lines = [line for line in message.splitlines() if line.strip() and not line.startswith(_ASIDE)]
    return "\n".join(f"  {line}" for line in lines[:_MESSAGE_LINES])


@cache
def versions() -> tuple[str, ...]:
    """What compiles."""
    return tuple(f"{name} {installed_version(name)}" for name in ("quantune-mlir", "iree-base-compiler"))
