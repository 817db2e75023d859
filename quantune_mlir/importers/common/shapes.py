"""Axis arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from quantune_mlir.importers.common.errors import Unsupported


def normalized_axis(axis: int, rank: int) -> int:
    """`axis` counted from the front; negative axes count from the back."""
    if not -rank <= axis < max(rank, 1):
        raise Unsupported(f"axis {axis} does not exist in a tensor of rank {rank}")
    return axis % rank if rank else 0


def normalized_axes(axes: Sequence[int], rank: int) -> list[int]:
    """Distinct axes in ascending order."""
    return sorted({normalized_axis(int(a), rank) for a in axes})
