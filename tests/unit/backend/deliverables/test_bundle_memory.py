"""What is told of a network that does not fit."""

from __future__ import annotations

from quantune_mlir.backend.deliverables.bundle_memory import layer_sizes
from quantune_mlir.backend.deliverables.schedule import BufferView, Dispatch, Schedule


def dispatch(layer: str, *views: BufferView) -> Dispatch:
    return Dispatch("kernel", layer, 0, (1, 1, 1), (), views)


def schedule(*dispatches: Dispatch) -> Schedule:
    return Schedule((), (), dispatches, 100, (bytes(50),), 1)


def arena(offset: int, length: int) -> BufferView:
    return BufferView("arena", 0, offset, length)


def weights(offset: int, length: int) -> BufferView:
    return BufferView("weights", 0, offset, length)


WHOLE = dispatch("softmax", arena(0, 100), arena(0, 100), weights(0, 50))


def test_layers_are_told_by_what_their_kernels_use() -> None:
    made = schedule(
        dispatch("conv", arena(0, 40), weights(0, 10), arena(40, 20)),
        dispatch("conv", arena(40, 20), arena(40, 20), weights(10, 5)),
        WHOLE,
    )
    assert layer_sizes(made, "arena") == {"conv": 60}
    assert layer_sizes(made, "weights") == {"conv": 15}


def test_what_is_given_whole_buffers_counts_where_all_are() -> None:
    assert layer_sizes(schedule(WHOLE), "arena") == {"softmax": 100}
    assert layer_sizes(schedule(WHOLE), "weights") == {"softmax": 50}
