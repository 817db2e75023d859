"""Compiled programs, run by iree-runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import iree.runtime as iree_rt
import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import CompileError

Array = NDArray[np.generic]

SINGLE_THREAD: Final = "local-sync"


class Program:
    """A loaded .vmfb. `program(x, ...)` runs @main; `program.call(name, ...)` any exported function."""

    def __init__(self, vmfb: bytes | Path, *, device: str = SINGLE_THREAD) -> None:
        """Load a program from bytes or a file.

        Args:
            vmfb: the compiled program.
            device: an IREE device: "local-sync" runs on the calling thread, "local-task" on a pool.

        Raises:
            CompileError: it is not a program, or not one for this machine.
        """
        config = iree_rt.Config(device)
        try:
            if isinstance(vmfb, Path):
                module = iree_rt.VmModule.mmap(config.vm_instance, str(vmfb))
            else:
                module = iree_rt.VmModule.copy_buffer(config.vm_instance, vmfb)
            self._module = iree_rt.load_vm_module(module, config)
        except (ValueError, RuntimeError) as error:
            where = str(vmfb) if isinstance(vmfb, Path) else None
            raise CompileError(f"cannot be loaded: {_first_line(error)}", where=where) from error

    def __call__(self, *inputs: Array) -> list[Array]:
        """The results of @main; inputs in the order of the model's own."""
        return self.call("main", *inputs)

    def call(self, function: str, *inputs: Array | int) -> list[Array]:
        """The results of an exported function, copied out of device memory."""
        results = self._module[function](*inputs)
        if results is None:
            return []
        return [np.array(r.to_host()) for r in (results if isinstance(results, tuple | list) else (results,))]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
