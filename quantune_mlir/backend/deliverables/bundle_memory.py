"""How much memory a bundle takes, and whether a device has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantune_mlir.backend.deliverables.elf import loaded_bytes
from quantune_mlir.backend.deliverables.schedule import Schedule
from quantune_mlir.backend.deliverables.static_library import StaticLibrary
from quantune_mlir.errors import BudgetError

_NAMED: Final = 3
"""For so many kernels it is told what they take."""


@dataclass(frozen=True)
class BundleMemory:
    """Bytes of a bundle: code and constants are read only; arena, inputs and outputs are RAM, the stack apart."""

    code: int
    constants: int
    arena: int
    inputs: int
    outputs: int

    @staticmethod
    def of(library: StaticLibrary) -> BundleMemory:
        """What a compiled network takes."""
        schedule = library.schedule
        return BundleMemory(
            loaded_bytes(library.kernels),
            sum(map(len, schedule.weights)),
            schedule.arena,
            sum(tensor.bytes for tensor in schedule.inputs),
            sum(tensor.bytes for tensor in schedule.outputs),
        )

    @property
    def flash(self) -> int:
        """Read-only memory."""
        return self.code + self.constants

    @property
    def ram(self) -> int:
        """Memory that is written, but for the stack."""
        return self.arena + self.inputs + self.outputs


def require_memory(library: StaticLibrary, *, ram: int | None, flash: int | None) -> None:
    """Raises BudgetError, naming the kernels that take most, unless the network fits; None: not limited."""
    memory, schedule = BundleMemory.of(library), library.schedule
    if ram is not None and memory.ram > ram:
        parts = f"arena {kib(memory.arena)}, inputs {kib(memory.inputs)}, outputs {kib(memory.outputs)}"
        raise BudgetError(
            f"needs {kib(memory.ram)} of RAM besides the stack ({parts}), of which there are {kib(ram)}; "
            f"most of the arena is in use in {_most(schedule, 'arena')}",
            where="memory",
            remedy="give fewer layers in fp32, a smaller input, or more with --max-ram",
        )
    if flash is not None and memory.flash > flash:
        parts = f"code {kib(memory.code)}, constants {kib(memory.constants)}"
        raise BudgetError(
            f"needs {kib(memory.flash)} of read-only memory ({parts}), of which there are {kib(flash)}; "
            f"most constants are those of {_most(schedule, 'weights')}",
            where="memory",
            remedy="give fewer layers in fp32, a smaller network, or more with --max-flash",
        )


def _most(schedule: Schedule, place: str) -> str:
    sizes = [(sum(v.length for v in d.bindings if v.place == place), d.kernel) for d in schedule.dispatches]
    largest = sorted(sizes, key=lambda pair: -pair[0])[:_NAMED]
    return ", ".join(f"{kernel} ({kib(size)})" for size, kernel in largest) or "no kernel"


def kib(size: int) -> str:
    """A size for people."""
    return f"{size / 1024:.1f} KiB"
