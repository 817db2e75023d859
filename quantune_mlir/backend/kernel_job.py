"""What the process that compiles kernels is asked, and what it answers, known without MLIR."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LIBRARIES: Final = "link_embedded"
"""Whether IREE compiles its C library into each executable: three times the time, and few kernels call it."""
_OF_KERNELS: Final = {"link_ukernel_bitcode": False, "debug_symbols": False}


@dataclass(frozen=True)
class KernelTarget:
    """What kernels are compiled for.

    Attributes:
        name: of the target, for errors.
        flags: for iree-compile.
        variant: what IREE calls the kind of machine code.
        attribute: what IREE makes executables of programs for, as text.
    """

    name: str
    flags: tuple[str, ...]
    variant: str
    attribute: str

    def options(self, *, with_libraries: bool, of_kernels: bool = True) -> str:
        """What it is to make executables for, of kernels alone or of programs, as text."""
        text = self.attribute
        for name, value in {_LIBRARIES: with_libraries, **(_OF_KERNELS if of_kernels else {})}.items():
            for before in (f"{name} = true, ", f"{name} = false, "):
                text = text.replace(before, "")
            text = text.replace("{", f"{{{name} = {str(value).lower()}, ", 1)
        return text


@dataclass(frozen=True)
class KernelJob:
    """A kernel to compile.

    Attributes:
        name: what to call it.
        code: see `Receiver`.
        target: what for.
        cache: the directory and the limit of the cache to keep it in; None: in none.
        key: it is kept under.
        made_of: the key that its name is kept under; "" if it is not.
    """

    name: str
    code: bytes
    target: KernelTarget
    cache: tuple[Path, int] | None
    key: str
    made_of: str = ""


class NoMore:
    """Follows the jobs that somebody waits for: none of these is left for later."""


Answer = tuple[str, bytes | Exception]
"""The key of a job, and the object file, or why there is none."""
Answers = tuple[list[Answer], int]
"""Of a batch, and the most memory that any of IREE's processes has taken so far, in MiB."""
