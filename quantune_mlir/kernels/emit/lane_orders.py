"""Vectors whose lanes change places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.mlir.bindings import ir


def interleaved(vectors: Sequence[ir.Value], lanes: int) -> ir.Value:
    """Lane 0 of every vector, then lane 1, and so on."""
    together = vectors[0]
    for position, value in enumerate(vectors[1:], start=1):
        together = code.shuffle(together, value, list(range(lanes * (position + 1))))
    count = len(vectors)
    order = np.arange(count * lanes).reshape(count, lanes).T.reshape(-1)
    return code.shuffle(together, together, [int(lane) for lane in order])


def turned(rows: Sequence[ir.Value], lanes: int) -> list[ir.Value]:
    """The columns of at most `lanes` rows; lanes beyond the rows mean nothing.

    Interleaving row i with row i + lanes / 2, log2(lanes) times, turns a square.
    """
    square = [*rows, *[rows[-1]] * (lanes - len(rows))]
    half = lanes // 2
    low = [lane for i in range(half) for lane in (i, lanes + i)]
    high = [half + lane for lane in low]
    for _ in range(lanes.bit_length() - 1):
        square = [
            code.shuffle(a, b, order)
            for a, b in zip(square[:half], square[half:], strict=True)
            for order in (low, high)
        ]
    return square
