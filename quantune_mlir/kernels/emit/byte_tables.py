"""Tables of an i8 with an instruction set's own means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.mlir.bindings import ir


@dataclass(frozen=True)
class ByteTables:
    """Looks up many entries of a table at once, without a load for each."""

    arrange: Callable[[NDArray[np.int8]], NDArray[np.int32]]
    """What the buffer holds, given the entries for -128 to 127."""
    look_up: Callable[[ir.Value, ir.Value], ir.Value]
    """(buffer, vector of i32 from -128 to 127): the entries, as i32."""
