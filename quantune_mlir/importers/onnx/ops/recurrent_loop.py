"""Many steps of LSTM, GRU and RNN: one tosa.while_loop, its body one step.

It carries the outputs so far [T, N * H], the number of the step, the state, and x W^T + b of all steps. Whatever is
made of the network afterwards takes as long for a thousand steps as for a hundred. The loop is one layer, NODE/steps,
backwards NODE/back_steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.ops.recurrent_cells import Cell, State

LEAST_STEPS: Final = 4
"""Fewer are unrolled: each is a layer of its own then, in a format of its own."""


def loop_over_steps(
    b: Builder,
    cell_of: Callable[[Builder], Cell],
    projected: Tensor,
    initial: State,
    taken: Tensor | None,
    *,
    backwards: bool,
    keeps_c: bool,
) -> Tensor:
    """The states after each step, [T, N, H], or [T, N, 2 H] with c behind h if it is to be kept.

    Args:
        b: where the loop is built.
        cell_of: makes the cell, and its constants, within the loop.
        projected: x W^T + b of all steps, [T, N, gates * H].
        initial: the state before the first step, its tensors given.
        taken: [T, N], 1 where a sequence has a step and 0 where it has none: its state stays. None: all have all.
        backwards: whether the last step is the first.
        keeps_c: whether what an LSTM has in c is asked for.
    """
    steps, batch, gates = projected.shape
    states = [tensor for tensor in (initial.h, initial.c) if tensor is not None]
    hidden = states[0].shape[1]
    width = 2 * hidden if keeps_c else hidden

    def step(inner: Builder, number: Tensor, state: list[Tensor], unchanged: list[Tensor]) -> list[Tensor]:
        row = inner.gather_rows(unchanged[0], number)
        part = row if taken is None else inner.slice_axis(row, 1, 0, batch * gates)
        after = cell_of(inner).step(inner, inner.reshape(part, (batch, gates)), State(*state))
        following = [tensor for tensor in (after.h, after.c) if tensor is not None]
        if taken is not None:
            mine = inner.reshape(inner.slice_axis(row, 1, batch * gates, batch * hidden), (batch, hidden))
            following = [_mixed(inner, mine, new, old) for new, old in zip(following, state, strict=True)]
        kept = inner.concat(following, 1) if keeps_c else following[0]
        return [inner.reshape(kept, (1, batch * width)), *following]

    rows = b.reshape(projected, (steps, batch * gates))
    if taken is not None:
        repeated = b.broadcast_to(b.reshape(taken, (steps, batch, 1)), (steps, batch, hidden))
        rows = b.concat([rows, b.reshape(repeated, (steps, batch * hidden))], 1)
    with b.part("back_steps" if backwards else "steps"):
        outputs = b.stacked_rounds(steps, states, [rows], step, backwards=backwards)
    return outputs if outputs.shape == (steps, batch, width) else b.reshape(outputs, (steps, batch, width))


def _mixed(b: Builder, taken: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """`new` where `taken` is 1, `old` where it is 0: kernels do not select."""
    return b.add(b.mul(taken, new), b.mul(b.sub(b.splat(1, taken.dtype, 2), taken), old))
