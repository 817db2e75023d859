"""The buffers that an epilogue adds to a kernel's own."""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

from quantune_mlir.kernels.emit.epilogue import Epilogue
from quantune_mlir.kernels.emit.executable import MAX_SCALARS, JoinedPart
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant
from quantune_mlir.mlir.edit import element_of, shape_of

_OWN_SCALARS: Final = 3
"""Those that a kernel has besides, at most."""


def described(value: ir.Value) -> tuple[int, str]:
    """A tensor as a flat buffer: (elements, element type)."""
    return prod(shape_of(value)), element_of(value)


class Buffers:
    """Inputs and output of an epilogue, in the order of `Epilogue.bind`."""

    def __init__(self, epilogue: Epilogue) -> None:
        self._epilogue = epilogue

    @property
    def fit(self) -> bool:
        """Whether a dispatch can have so many scalars."""
        return len(self._epilogue.scalars) + _OWN_SCALARS <= MAX_SCALARS

    @property
    def inputs(self) -> tuple[tuple[int, str], ...]:
        """The input buffers."""
        numbers = [(v.size, "f32" if v.dtype == np.float32 else "i32") for v in self._epilogue.channels.values()]
        return (*numbers, *(described(tensor) for tensor in self._epilogue.tensors))

    def tensors(self) -> list[ir.Value]:
        """A tensor for each input buffer; constants are built at the current point."""
        return [*(constant(numbers) for numbers in self._epilogue.channels.values()), *self._epilogue.tensors]

    def output(self, part: JoinedPart | None) -> tuple[int, str]:
        """The output buffer: the group's result, or what its part belongs to."""
        if part is not None:
            return prod(part.of.type.shape), self._epilogue.element
        return self._epilogue.size, self._epilogue.element
