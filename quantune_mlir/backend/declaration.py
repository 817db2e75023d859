"""What a compiled program says of its own inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.signature import specs_of

_HEAD: Final = re.compile(r"^\w+ func @")
_RESULT: Final = re.compile(r"%output\d+: ")

Spec = tuple[str, tuple[int, ...], np.dtype]
"""Name, shape and dtype."""


@dataclass(frozen=True)
class Declaration:
    """Inputs and outputs of @main, in order."""

    inputs: Sequence[Spec]
    outputs: Sequence[Spec]

    @staticmethod
    def parse(text: str) -> Declaration | None:
        """Read IREE's `iree.abi.declaration`; None if it has anything but tensors of static shape.

        It is a function's signature in MLIR, but for its head and the names of its results.
        """
        declared = _RESULT.sub("", _HEAD.sub("func.func private @", text))
        try:
            module = ir.Module.parse(declared, context=make_context())
            function = next(iter(module.body.operations)).operation
            inputs, outputs = specs_of(function)
        except (ir.MLIRError, KeyError, ValueError, StopIteration):
            return None
        if any(size < 0 for _, shape, _ in (*inputs, *outputs) for size in shape):
            return None
        return Declaration(inputs, outputs)
