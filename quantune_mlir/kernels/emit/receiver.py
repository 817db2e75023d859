"""Who gets the code of kernels apart from the module that dispatches them."""

from __future__ import annotations

from typing import Final

KERNEL: Final = "kernel"
"""What the function of a kernel is called in its code."""
LAYOUT: Final = "quantune.layout"
"""The attribute of that function that tells with which buffers and scalars it is called."""


class Receiver:
    """Takes the code of kernels as soon as it is written."""

    def take(self, name: str, code: bytes) -> None:
        """A kernel: the name of the executable that its module has for it, without the code, and the code.

        That is the bytecode of a module with one function called KERNEL, which has the attribute LAYOUT.
        """
        raise NotImplementedError
