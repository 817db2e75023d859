"""What a kernel may count on of a core's memory, and the budgets that follow from it."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class Memory(BaseModel):
    """Caches of a core, and the stack that its kernels may pack their input to. Sizes are bytes.

    How sizes of budgets follow from those of caches was fitted on x86 (docs/performance.md).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    l1: int = Field(32 * 1024, ge=1024)
    """First-level data cache."""
    ways: int = Field(8, ge=1)
    """Lines that the first-level cache keeps of those that lie a way apart."""
    line: int = Field(64, ge=4)
    """A cache's line."""
    l2: int = Field(1024 * 1024, ge=1024)
    """Second-level cache, or a core's part of it."""
    l2_rate: float = Field(64, gt=0)
    """Bytes that come in a cycle from the second-level cache."""
    far_rate: float = Field(8, gt=0)
    """The same from beyond it."""
    pack_rate: float = Field(8, gt=0)
    """Bytes of an input that are packed in a cycle."""
    scratch: int = Field(64 * 1024, ge=256)
    """Stack that a kernel may pack its input to, if less is not enough for a tile."""

    @property
    def way(self) -> int:
        """Addresses so far apart share a set of the first-level cache."""
        return self.l1 // self.ways

    @property
    def block(self) -> int:
        """What the weights of a block and the packed input may fill together."""
        return self.l1 + self.l1 // 4

    @property
    def pack(self) -> int:
        """The most to pack at a time, if it can be so little."""
        return self.l1

    @property
    def least_pack(self) -> int:
        """What to pack at a time where tiles share nothing of it: it never leaves the first-level cache."""
        return self.l1 // 4

    @property
    def input(self) -> int:
        """What a workgroup may read of an input that is not packed."""
        return 3 * self.l1

    @property
    def heavy_weights(self) -> int:
        """Weights that a second-level cache does not keep beside an input: a workgroup should read its part once."""
        return self.l2 // 2

    @property
    def heavy_input(self) -> int:
        """What a workgroup may then read of an input that is not packed."""
        return self.l2


ANY_CORE: Final = Memory.model_validate({})
"""What is counted on where nothing is known."""
