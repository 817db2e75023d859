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
        # What `bound` put into device memory: the first attribute, so the first to go, before the device that it is on.
        self._bound: list[iree_rt.VmVariantList] = []
        config = iree_rt.Config(device=_keeping_buffers(device))
        try:
            if isinstance(vmfb, Path):
                module = iree_rt.VmModule.mmap(config.vm_instance, str(vmfb))
            else:
                module = iree_rt.VmModule.copy_buffer(config.vm_instance, vmfb)
            context = iree_rt.SystemContext(vm_modules=[module], config=config)
        except (ValueError, RuntimeError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else _reason(error)
            raise CompileError(
                f"cannot be loaded: {reason}",
                where=self._where,
                remedy="give a .vmfb that was compiled for this machine",
            ) from error
        self._module = context.modules[module.name]
        self._vm_context = context.vm_context
        self._config = config
        if isinstance(vmfb, bytes):
            # They refer back to the context: a program, as large as a model, would wait for the garbage collector. One
            # from a file is mapped, and may wait: IREE loses an error that is on its way when a mapping is freed.
            context.modules.clear()

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
        device = self._config.device
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

        self._bound.append(arguments)
        index = len(self._bound) - 1

        def call() -> None:
            self._vm_context.invoke(vm_function, self._bound[index], iree_rt.VmVariantList(1))

        return call


def _keeping_buffers(device: str) -> iree_rt.HalDevice:
    """A device that keeps the memory of a call for the next: new memory costs page faults, and is cleared."""
    allocators: list[Any] = ["caching"]  # The binding takes names; its stub asks for objects.
    return iree_rt.get_driver(device).create_default_device(allocators)


def _reason(error: Exception) -> str:
    """What went wrong, without IREE's source lines and call stack."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return text.split(f"{_REFUSED}; ")[-1].split("; while")[0]
