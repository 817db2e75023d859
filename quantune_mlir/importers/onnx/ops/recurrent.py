"""LSTM, GRU and RNN: one product of all steps with the input's weights, then the steps one after the other.

Of a few steps, every one is in the module: its layers are NODE/step_T/gates and NODE/step_T/cell, backwards
NODE/back_T/...; all read the same constants. Many are a loop (recurrent_loop.py). The product of all steps is the layer
NODE. A sequence that is shorter than the longest keeps its last state, and yields zeros from there on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.handlers import operator
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.ops.linear import fully_connected
from quantune_mlir.importers.onnx.ops.recurrent_cells import (
    Cell,
    Gru,
    Lstm,
    RecurrentProduct,
    Rnn,
    State,
    activations,
)
from quantune_mlir.importers.onnx.ops.recurrent_loop import LEAST_STEPS, loop_over_steps

_ACTIVATIONS: Final = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_DIRECTIONS: Final = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


@operator("LSTM", "GRU", "RNN", since=7)
def recurrent(b: Builder, node: Node) -> list[Tensor]:
    x = node.input(0)
    by_batch = bool(node.attribute("layout", 0))
    if by_batch:
        x = b.transpose(x, (1, 0, 2), layout=True)
    directions = _DIRECTIONS.get(node.attribute("direction", "forward"), ())
    finals: list[State] = []
    sequences: list[Tensor] = []
    for index, backwards in enumerate(directions):
        sequence, final = _direction(b, node, x, index, len(directions), backwards=backwards, by_batch=by_batch)
        sequences.append(sequence)
        finals.append(final)
    if not directions:
        raise Unsupported(f"direction {node.attribute('direction')!r}")
    with b.part("outputs"):
        steps, batch, hidden = sequences[0].shape
        stacked = b.concat([b.reshape(s, (steps, 1, batch, hidden)) for s in sequences], 1)
        results = [b.transpose(stacked, (2, 0, 1, 3) if by_batch else (0, 1, 2, 3))]
        for states in ([s.h for s in finals], [s.c for s in finals]):
            known = [b.reshape(s, (1, batch, hidden)) for s in states if s is not None]
            if known:
                results.append(b.transpose(b.concat(known, 0), (1, 0, 2) if by_batch else (0, 1, 2)))
    return results


def _direction(
    b: Builder, node: Node, x: Tensor, index: int, count: int, *, backwards: bool, by_batch: bool
) -> tuple[Tensor, State]:
    """All outputs [T, N, H] of one direction, and its last state."""
    steps, batch, _ = x.shape
    arrays = _arrays(node, index)
    projected = _projected(b, x, arrays)
    lengths = node.optional_input(4)
    valid = _valid_steps(lengths, steps, batch)
    state = State(_initial(b, node, 5, index, by_batch), _initial(b, node, 6, index, by_batch))
    nothing = Tensor.constant(np.zeros((batch, arrays.hidden), x.dtype))
    if steps >= LEAST_STEPS or valid is None:
        taken = _taken(b, lengths, steps) if valid is None or not valid.all() else None
        state = State(state.h or nothing, state.c or nothing if node.op_type == "LSTM" else None)
        cell_of = partial(_cell, node=node, arrays=arrays, index=index, count=count)
        return _looped(b, node, projected, state, cell_of, taken, backwards)
    cell = _cell(b, node=node, arrays=arrays, index=index, count=count)
    outputs = [nothing] * steps
    for step in reversed(range(steps)) if backwards else range(steps):
        if valid[step].any():
            with b.part(f"{'back' if backwards else 'step'}_{step}"):
                with b.part("gates"):
                    gates = b.reshape(b.slice_axis(projected, 0, step, 1), (batch, projected.shape[2]))
                after = cell.step(b, gates, state)
                with b.part("cell"):
                    outputs[step], state = _masked(b, after, state, valid[step], nothing)
    with b.part("outputs"):
        sequence = b.concat([b.reshape(output, (1, batch, arrays.hidden)) for output in outputs], 0)
    final_c = None if node.op_type != "LSTM" else state.c or nothing
    return sequence, State(state.h or nothing, final_c)


def _looped(
    b: Builder,
    node: Node,
    projected: Tensor,
    state: State,
    cell_of: Callable[[Builder], Cell],
    taken: Tensor | None,
    backwards: bool,
) -> tuple[Tensor, State]:
    """All outputs and the last state of a direction whose steps are a loop."""
    keeps_c = state.c is not None and node.uses_output(2)
    states = loop_over_steps(b, cell_of, projected, state, taken, backwards=backwards, keeps_c=keeps_c)
    steps, batch, width = states.shape
    with b.part("outputs"):
        last = b.reshape(b.slice_axis(states, 0, 0 if backwards else steps - 1, 1), (batch, width))
        if taken is not None:
            states = b.mul(states, b.reshape(taken, (steps, batch, 1)))
        if not keeps_c:
            return states, State(last, state.c)
        hidden = width // 2
        return b.slice_axis(states, 2, 0, hidden), State(*(b.slice_axis(last, 1, i * hidden, hidden) for i in range(2)))


def _masked(b: Builder, after: State, before: State, valid: np.ndarray, nothing: Tensor) -> tuple[Tensor, State]:
    """The output and the state of a step that only the sequences that are `valid`, bool [N], take."""
    assert after.h is not None
    if valid.all():
        return after.h, after
    mask = Tensor.constant(valid[:, None])
    c = None if after.c is None else b.select(mask, after.c, before.c or nothing)
    return b.select(mask, after.h, nothing), State(b.select(mask, after.h, before.h or nothing), c)


def _valid_steps(lengths: Tensor | None, steps: int, batch: int) -> np.ndarray | None:
    """Whether a sequence has a step, bool [T, N]; None if that is known at run time only."""
    if lengths is not None and lengths.array is None:
        return None
    known = np.full(batch, steps) if lengths is None else lengths.known
    return np.arange(steps)[:, None] < known[None]


def _taken(b: Builder, lengths: Tensor | None, steps: int) -> Tensor:
    """1 where a sequence has a step, else 0, [T, N]: what its length exceeds the step's number by, clamped."""
    assert lengths is not None
    numbers = Tensor.constant(np.arange(steps, dtype=np.float32)[:, None])
    if lengths.array is not None:
        return Tensor.constant((numbers.known < lengths.known[None]).astype(np.float32))
    with b.part("lengths"):
        rows = b.reshape(b.cast(lengths, np.float32), (1, lengths.shape[0]))
        return b.clamp(b.sub(rows, numbers), 0, 1)


def _initial(b: Builder, node: Node, position: int, index: int, by_batch: bool) -> Tensor | None:
    """An initial state [N, H] of one direction, None where it is zero."""
    states = node.optional_input(position)
    if states is None or (states.array is not None and not states.array.any()):
        return None
    with b.part("initial"):
        states = b.transpose(states, (1, 0, 2)) if by_batch else states
        return b.reshape(b.slice_axis(states, 0, index, 1), states.shape[1:])


@dataclass(frozen=True)
class _Arrays:
    """Constants of one direction: W [gates * H, I] and its bias, R [gates * H, H] and what of its bias stays apart."""

    weights: np.ndarray
    bias: np.ndarray
    recurrence: np.ndarray
    recurrent_bias: np.ndarray | None
    peepholes: Tensor | None

    @property
    def hidden(self) -> int:
        return self.recurrence.shape[1]


def _arrays(node: Node, index: int) -> _Arrays:
    weights, recurrence = (node.constant_input(i, meaning) for i, meaning in ((1, "W"), (2, "R")))
    biases = node.constant_input(3, "B")
    peepholes = node.constant_input(7, "P") if node.op_type == "LSTM" else None
    if weights is None or recurrence is None:
        raise Unsupported("it has no weights")
    size, hidden = weights.shape[1], recurrence.shape[2]
    both = np.zeros(2 * size, weights.dtype) if biases is None else biases[index]
    apart = bool(node.op_type == "GRU" and node.attribute("linear_before_reset", 0))
    bias = both[:size] if apart else both[:size] + both[size:]
    rows = None if peepholes is None else Tensor.constant(peepholes[index].reshape(3, hidden))
    return _Arrays(weights[index], bias, recurrence[index], both[size:] if apart else None, rows)


def _cell(b: Builder, *, node: Node, arrays: _Arrays, index: int, count: int) -> Cell:
    defaults = _ACTIVATIONS[node.op_type]
    names = node.attribute("activations") or list(defaults) * count
    alphas, betas = (node.attribute(f"activation_{kind}") or [] for kind in ("alpha", "beta"))
    chosen = activations(names, alphas, betas)[index * len(defaults) : (index + 1) * len(defaults)]
    clip, reset_last = node.attribute("clip"), bool(node.attribute("linear_before_reset", 0))
    split = 2 * arrays.hidden if node.op_type == "GRU" and not reset_last else len(arrays.recurrence)
    parts = (arrays.recurrence[:split], arrays.recurrence[split:])
    products = [RecurrentProduct(b, part, arrays.recurrent_bias) for part in parts if len(part)]
    if node.op_type == "LSTM":
        return Lstm(chosen, products, clip, bool(node.attribute("input_forget", 0)), arrays.peepholes)
    if node.op_type == "GRU":
        return Gru(chosen, products, clip, reset_last)
    return Rnn(chosen, products, clip)


def _projected(b: Builder, x: Tensor, arrays: _Arrays) -> Tensor:
    """x W^T + bias of all steps, [T, N, gates * H]."""
    steps, batch, inputs = x.shape
    weights, bias = Tensor.constant(arrays.weights.T), Tensor.constant(arrays.bias)
    product = fully_connected(b, b.reshape(x, (steps * batch, inputs)), weights, bias)
    return b.reshape(product, (steps, batch, arrays.weights.shape[0]))
