"""Who gets the code of kernels apart from the module that dispatches them."""

from __future__ import annotations

from typing import Final

KERNEL: Final = "kernel"
"""What the function of a kernel is called in its code."""
LAYOUT: Final = "quantune.layout"
"""The attribute of that function that tells with which buffers and scalars it is called."""


TAKEN: Final = "quantune.kernel"
"""The attribute of an executable without code that tells what its kernel is called where that was taken."""


class Receiver:
    """Takes the code of kernels as soon as it is written, and remembers what it was written from."""

    def take(self, code: bytes, made_of: str = "") -> str:
        """What a kernel is called from now on: the same for the same code.

        Args:
            code: the bytecode of a module with one function called KERNEL, which has the attribute LAYOUT.
            made_of: all that the code follows from, for `recall`.
        """
        raise NotImplementedError

    def recall(self, made_of: str) -> str | None:
        """What the kernel is called that was made of the same before, by any process; None if none is known."""
        raise NotImplementedError
