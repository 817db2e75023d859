"""Compiled programs, run by iree-runtime."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from errno import EIO
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import iree.runtime as iree_rt
import numpy as np
from iree.runtime.array_interop import map_dtype_to_element_type
from numpy.typing import NDArray

from quantune_mlir.errors import CompileError, DataError

if TYPE_CHECKING:
    from quantune_mlir.backend.declaration import Declaration

Array = NDArray[np.generic]

SINGLE_THREAD: Final = "local-sync"

_UNSIGNED_RESULT: Final = re.compile(r'%output(\d+): [^%]*?quantune\.element_type = "(uint\d+)"')
"""In what a program says of itself: its own integers have no sign."""
_ALL: Final = slice(None)
_REFUSED: Final = "INVALID_ARGUMENT"


class Program:
    """A loaded .vmfb. `program(x, ...)` runs @main; `program.call(name, ...)` any exported function."""

    def __init__(self, vmfb: bytes | mmap | Path, *, device: str = SINGLE_THREAD) -> None:
        """Load a program from memory or a file.

        Args:
            vmfb: the compiled program. Bytes are copied; see `in_pages`.
            device: an IREE device: "local-sync" runs on the calling thread, "local-task" on a pool.

        Raises:
            CompileError: it is not a program, or not one for this machine.
        """
        self._loaded_from = vmfb, device
        self._where = str(vmfb) if isinstance(vmfb, Path) else None
        # What `bound` put into device memory: the first attribute, so the first to go, before the device that it is on.
        self._bound: list[iree_rt.VmVariantList] = []
        config = iree_rt.Config(device=_keeping_buffers(device))
        try:
            if isinstance(vmfb, Path):
                module = iree_rt.VmModule.mmap(config.vm_instance, str(vmfb))
            else:
                module = iree_rt.VmModule.from_flatbuffer(config.vm_instance, vmfb, warn_if_copy=False)
            context = iree_rt.SystemContext(vm_modules=[module], config=config)
        except (ValueError, RuntimeError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else _reason(error)
            raise CompileError(
                f"cannot be loaded: {reason}",
                where=self._where,
                remedy="give a .vmfb that was compiled for this machine",
            ) from error
        self._vm_module = module
        self._functions: dict[str, iree_rt.VmFunction] = {}
        self._unsigned: dict[str, dict[int, str]] = {}
        self._context = context
        if not isinstance(vmfb, Path):
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
            keep: which results are wanted; each costs some 10 µs.

        Raises:
            DataError: the function takes other inputs.
            CompileError: there is no such function.
        """
        results = iree_rt.VmVariantList(1)
        try:
            self._context.vm_context.invoke(self._function(function), self._arguments(inputs), results)
        except ValueError as error:
            if _REFUSED not in str(error):
                raise
            raise DataError(f"the program refuses its inputs: {_reason(error)}", where=self._where) from error
        positions, unsigned = range(len(results))[keep], self._unsigned[function]
        arrays = [(p, to_host(results.get_as_object(p, iree_rt.HalBufferView))) for p in positions]
        return [array.view(unsigned.get(position, array.dtype)) for position, array in arrays]

    @property
    def declaration(self) -> Declaration | None:
        """The inputs and outputs of @main; None if the program does not say, or not with static shapes."""
        # It is told in MLIR, which the workers that this class is sent to need not have.
        from quantune_mlir.backend.declaration import Declaration

        text = self._function("main").reflection.get("iree.abi.declaration")
        return None if text is None else Declaration.parse(text)

    def again(self) -> Program:
        """The same program, loaded once more: a thread that runs it needs one of its own."""
        vmfb, device = self._loaded_from
        return Program(vmfb, device=device)

    @property
    def taken_bytes(self) -> int:
        """What all programs on devices of this kind hold now, with what they keep for their next calls."""
        found = self._device.allocator.statistics
        return found["device_bytes_allocated"] - found["device_bytes_freed"]

    def give_back(self) -> None:
        """Give back the memory that was kept for the next call."""
        self._device.allocator.trim()

    @property
    def _device(self) -> iree_rt.HalDevice:
        return self._context.config.device

    def _function(self, name: str) -> iree_rt.VmFunction:
        """An exported function. IREE's own way of calling one reads its description again each time, some 60 µs."""
        if name not in self._functions:
            found = self._vm_module.lookup_function(name)
            if found is None:
                raise CompileError(f"the program has no function @{name}", where=self._where)
            self._functions[name] = found
            said = found.reflection.get("iree.abi.declaration", "")
            self._unsigned[name] = {int(place): dtype for place, dtype in _UNSIGNED_RESULT.findall(said)}
        return self._functions[name]

    def _arguments(self, inputs: Sequence[Array | int]) -> iree_rt.VmVariantList:
        """Inputs, arrays in device memory. Raises DataError for an array that no program takes."""
        arguments = iree_rt.VmVariantList(len(inputs))
        for value in inputs:
            if isinstance(value, int):
                arguments.push_int(value)
            elif map_dtype_to_element_type(value.dtype) is None:
                raise DataError(f"the program refuses its inputs: none is of {value.dtype}", where=self._where)
            else:
                arguments.push_ref(to_device(value, self._device).ref)
        return arguments

    def bound(self, *inputs: Array, function: str = "main") -> Callable[[], None]:
        """A function on inputs that lie in device memory already, results left there: what a benchmark calls.

        Python's conversions of arguments and results, some 10 µs, are no part of it.

        Raises:
            DataError: the function takes other inputs.
        """
        self.call(function, *inputs)
        vm_function, arguments = self._function(function), self._arguments(inputs)
        self._bound.append(arguments)
        index = len(self._bound) - 1

        def call() -> None:
            self._context.vm_context.invoke(vm_function, self._bound[index], iree_rt.VmVariantList(1))

        return call


def in_pages(file: Path) -> mmap:
    """What a file holds, in memory where a program can be run: no copy of it is made."""
    size = file.stat().st_size
    pages = mmap(-1, size)
    with file.open("rb", buffering=0) as opened:
        if opened.readinto(pages) != size:
            raise OSError(EIO, os.strerror(EIO), str(file))
    return pages


def to_device(array: Array, device: iree_rt.HalDevice) -> iree_rt.HalBufferView:
    """A copy of an array in device memory."""
    view = device.allocator.allocate_buffer_copy(
        iree_rt.MemoryType.DEVICE_LOCAL,
        iree_rt.BufferUsage.DEFAULT,
        device,
        np.asarray(array, order="C"),
        map_dtype_to_element_type(array.dtype),
    )
    assert isinstance(view, iree_rt.HalBufferView), "an element type is given"
    return view


def to_host(view: iree_rt.HalBufferView) -> Array:
    """A copy of what lies in device memory."""
    dtype = iree_rt.HalElementType.map_to_dtype(view.element_type)
    return np.array(view.map().asarray(view.shape, dtype))


def _keeping_buffers(device: str) -> iree_rt.HalDevice:
    """A device that keeps the memory of a call for the next: new memory costs page faults, and is cleared."""
    allocators: list[Any] = ["caching"]  # The binding takes names; its stub asks for objects.
    return iree_rt.get_driver(device).create_default_device(allocators)


def _reason(error: Exception) -> str:
    """What went wrong, without IREE's source lines and call stack."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return text.split(f"{_REFUSED}; ")[-1].split("; while")[0]
