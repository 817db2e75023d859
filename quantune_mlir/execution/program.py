"""Compiled programs, run by iree-runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import iree.runtime as iree_rt
import numpy as np
from iree.runtime.array_interop import map_dtype_to_element_type
from numpy.typing import NDArray

from quantune_mlir.errors import CompileError, DataError

Array = NDArray[np.generic]

SINGLE_THREAD: Final = "local-sync"

_ALL: Final = slice(None)
_REFUSED: Final = "INVALID_ARGUMENT"


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
        self._where = str(vmfb) if isinstance(vmfb, Path) else None
        config = iree_rt.Config(device=_new_device(device))
        try:
            if isinstance(vmfb, Path):
                module = iree_rt.VmModule.mmap(config.vm_instance, str(vmfb))
            else:
                module = iree_rt.VmModule.copy_buffer(config.vm_instance, vmfb)
            self._context = iree_rt.SystemContext(vm_modules=[module], config=config)
            self._module = self._context.modules[module.name]
        except (ValueError, RuntimeError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else _reason(error)
            raise CompileError(
                f"cannot be loaded: {reason}",
                where=self._where,
                remedy="give a .vmfb that was compiled for this machine",
            ) from error

    def __call__(self, *inputs: Array) -> list[Array]:
        """The results of @main; inputs in the order of the model's own."""
        return self.call("main", *inputs)

    def call(self, function: str, *inputs: Array | int, keep: slice = _ALL) -> list[Array]:
        """The results of an exported function, copied out of device memory.

        Args:
            function: its name.
            inputs: in the function's order.
            keep: which results are wanted; each costs some 5 µs.

        Raises:
            DataError: the function takes other inputs.
            CompileError: there is no such function.
        """
        try:
            results = self._module[function](*inputs)
        except KeyError as error:
            raise CompileError(f"the program has no function @{function}", where=self._where) from error
        except ValueError as error:
            if _REFUSED not in str(error):
                raise
            raise DataError(f"the program refuses its inputs: {_reason(error)}", where=self._where) from error
        if results is None:
            return []
        every = results if isinstance(results, tuple | list) else (results,)
        return [np.array(result.to_host()) for result in every[keep]]

    def bound(self, *inputs: Array, function: str = "main") -> Callable[[], None]:
        """A function on inputs that lie in device memory already, results left there: what a benchmark calls.

        Python's conversions of arguments and results, some 10 µs, are no part of it.

        Raises:
            DataError: the function takes other inputs.
        """
        self.call(function, *inputs)
        vm_function = self._module[function].vm_function
        device = self._context.config.device
        arguments = iree_rt.VmVariantList(len(inputs))
        for array in inputs:
            view = device.allocator.allocate_buffer_copy(
                iree_rt.MemoryType.DEVICE_LOCAL,
                iree_rt.BufferUsage.DEFAULT,
                device,
                np.ascontiguousarray(array),
                map_dtype_to_element_type(array.dtype),
            )
            assert isinstance(view, iree_rt.HalBufferView), "an element type is given"
            arguments.push_ref(view.ref)

        def call() -> None:
            self._context.vm_context.invoke(vm_function, arguments, iree_rt.VmVariantList(1))

        return call


def _new_device(name: str) -> iree_rt.HalDevice:
    """A device that keeps the memory it frees for the next call: IREE clears new memory, which kernels write anyway."""
    driver = iree_rt.get_driver(name)
    allocators: list[Any] = ["caching"]  # The binding takes names; its stub asks for objects.
    return driver.create_device(driver.query_available_devices()[0], None, allocators)


def _reason(error: Exception) -> str:
    """What went wrong, without IREE's source lines and call stack."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return text.split(f"{_REFUSED}; ")[-1].split("; while")[0]
