"""How much memory a bundle takes, and whether a device has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from quantune_mlir.backend.deliverables.elf import loaded_bytes
from quantune_mlir.backend.deliverables.schedule import Schedule
from quantune_mlir.backend.deliverables.static_library import StaticLibrary
from quantune_mlir.errors import BudgetError

_NAMED: Final = 3
"""For so many layers it is told what they take."""


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
    """Raises BudgetError, naming the layers that take most, unless the network fits; None: not limited."""
    memory, schedule = BundleMemory.of(library), library.schedule
    if ram is not None and memory.ram > ram:
        parts = f"arena {kib(memory.arena)}, inputs {kib(memory.inputs)}, outputs {kib(memory.outputs)}"
        raise BudgetError(
            f"needs {kib(memory.ram)} of RAM besides the stack ({parts}), of which there are {kib(ram)}; "
            f"most of the arena is in use in {_most(layer_sizes(schedule, 'arena'))}",
            where="memory",
            remedy="give fewer layers in fp32, a smaller input, or more with --max-ram",
        )
    if flash is not None and memory.flash > flash:
        parts = f"code {kib(memory.code)}, constants {kib(memory.constants)}"
        raise BudgetError(
            f"needs {kib(memory.flash)} of read-only memory ({parts}), of which there are {kib(flash)}; "
            f"most constants are those of {_most(layer_sizes(schedule, 'weights'))}",
            where="memory",
            remedy="give fewer layers in fp32, a smaller network, or more with --max-flash",
        )


def _most(sizes: Mapping[str, int]) -> str:
    largest = sorted(sizes.items(), key=lambda pair: -pair[1])[:_NAMED]
    return ", ".join(f"'{layer}' ({kib(size)})" for layer, size in largest) or "no layer"


def layer_sizes(schedule: Schedule, place: Literal["arena", "weights"]) -> dict[str, int]:
    """Bytes of the arena that the kernels of each layer use at once, or of the constants that they read in all.

    A kernel of IREE's may be given a buffer as a whole, with offsets in its code: what it uses is not known then, and
    it counts only where all are.
    """
    whole = [schedule.arena] if place == "arena" else [len(block) for block in schedule.weights]
    known: dict[str, int] = {}
    unknown: dict[str, int] = {}
    for dispatch in schedule.dispatches:
        views = dict.fromkeys(view for view in dispatch.bindings if view.place == place)
        sizes = unknown if any(view.length == whole[view.index] for view in views) else known
        size, before = sum(view.length for view in views), sizes.get(dispatch.layer, 0)
        sizes[dispatch.layer] = max(size, before) if place == "arena" else size + before
    return known or unknown


def kib(size: int) -> str:
    """A size for people."""
    return f"{size / 1024:.1f} KiB"
