"""One step of LSTM, GRU and RNN, as the ONNX operator specifications write them.

A cell takes x W^T + b of its step (`projected`, [N, gates * H]) and the state before it, None where that is zero. What
a product yields is one layer, NODE/step_T/gates; the rest, NODE/step_T/cell, is computed in fp32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.ops.functions import expm1, softplus
from quantune_mlir.importers.onnx.ops.linear import pixel_kernel, pixel_product

_LARGEST: Final = float(np.finfo(np.float32).max)
Activation = Callable[[Builder, Tensor], Tensor]


@dataclass(frozen=True)
class State:
    """What a step hands to the next: h [N, H], and c [N, H] of an LSTM."""

    h: Tensor | None
    c: Tensor | None = None


class RecurrentProduct:
    """h R^T + bias: its constants are made once, for all steps."""

    def __init__(self, b: Builder, weights: np.ndarray, bias: np.ndarray | None = None) -> None:
        """Takes R [gates * H, H] and perhaps a bias [gates * H]."""
        self._weights = weights
        self._bias = np.zeros(len(weights), weights.dtype) if bias is None else bias
        self._kernel, self._summand = pixel_kernel(b, Tensor.constant(weights.T)), Tensor.constant(self._bias)

    def of(self, b: Builder, h: Tensor | None) -> Tensor | None:
        """The product [N, gates * H]; of a state that is zero the bias, or None where that is zero too."""
        if h is None:
            return Tensor.constant(self._bias[None]) if self._bias.any() else None
        if h.array is not None:
            return Tensor.constant(h.array @ self._weights.T + self._bias)
        return pixel_product(b, h, self._kernel, self._summand)

    def added(self, b: Builder, summand: Tensor, h: Tensor | None) -> Tensor:
        """A tensor [N, gates * H] and the product, which one kernel computes."""
        if h is not None and h.array is None:
            return pixel_product(b, h, self._kernel, self._summand, summand)
        product = self.of(b, h)
        return summand if product is None else b.add(summand, product)


@dataclass(frozen=True)
class Cell:
    """What all kinds of cell have in common."""

    activations: Sequence[Activation]
    products: Sequence[RecurrentProduct]
    clip: float | None

    def step(self, b: Builder, projected: Tensor, state: State) -> State:
        """The state after a step."""
        raise NotImplementedError

    def gates(self, b: Builder, projected: Tensor, h: Tensor | None) -> Tensor:
        """projected + h R^T, for the gates that `projected` has."""
        with b.part("gates"):
            return self.products[0].added(b, projected, h)

    def activated(self, b: Builder, index: int, x: Tensor) -> Tensor:
        """An activation of what is clipped first."""
        clipped = x if self.clip is None else b.clamp(x, -self.clip, self.clip)
        return self.activations[index](b, clipped)


def _gate(b: Builder, gates: Tensor, first: int, count: int, hidden: int) -> Tensor:
    return b.slice_axis(gates, 1, first * hidden, count * hidden)


class Rnn(Cell):
    """h' = f(x W + h R + b)."""

    def step(self, b: Builder, projected: Tensor, state: State) -> State:
        gates = self.gates(b, projected, state.h)
        with b.part("cell"):
            return State(self.activated(b, 0, gates))


@dataclass(frozen=True)
class Lstm(Cell):
    """Gates i, o, f and c: c' = f c + i g(c~), h' = o h(c')."""

    input_forget: bool
    peepholes: Tensor | None

    def step(self, b: Builder, projected: Tensor, state: State) -> State:
        gates = self.gates(b, projected, state.h)
        hidden = gates.shape[1] // 4
        with b.part("cell"):
            gate_i, gate_o, gate_f, candidate = (_gate(b, gates, i, 1, hidden) for i in range(4))
            i = self.activated(b, 0, self._peeped(b, gate_i, 0, state.c))
            g = self.activated(b, 1, candidate)
            c = b.mul(i, g)
            if state.c is not None:
                one = b.splat(1, i.dtype, 2)
                f = b.sub(one, i) if self.input_forget else self.activated(b, 0, self._peeped(b, gate_f, 2, state.c))
                c = b.add(b.mul(f, state.c), c)
            o = self.activated(b, 0, self._peeped(b, gate_o, 1, c))
            return State(b.mul(o, self.activations[2](b, c)), c)

    def _peeped(self, b: Builder, gate: Tensor, index: int, c: Tensor | None) -> Tensor:
        if self.peepholes is None or c is None:
            return gate
        return b.add(gate, b.mul(c, b.slice_axis(self.peepholes, 0, index, 1)))


@dataclass(frozen=True)
class Gru(Cell):
    """Gates z, r and h: h' = (1 - z) h~ + z h, computed as h~ + z (h - h~).

    There is one product if the state is reset behind it, else one for z and r, and one of the reset state.
    """

    linear_before_reset: bool

    def step(self, b: Builder, projected: Tensor, state: State) -> State:
        hidden, h = projected.shape[1] // 3, state.h
        with b.part("gates"):
            gates, candidate = _gate(b, projected, 0, 2, hidden), _gate(b, projected, 2, 1, hidden)
            recurrent = self.products[0].of(b, h) if self.linear_before_reset else None
            if recurrent is not None:
                gates = b.add(gates, _gate(b, recurrent, 0, 2, hidden))
            elif not self.linear_before_reset:
                gates = self.products[0].added(b, gates, h)
        with b.part("cell"):
            gates = self.activated(b, 0, gates)
            z, r = _gate(b, gates, 0, 1, hidden), _gate(b, gates, 1, 1, hidden)
        candidate = self._reset(b, candidate, h, r, recurrent)
        with b.part("cell"):
            candidate = self.activated(b, 1, candidate)
            rest = b.negate(candidate) if h is None else b.sub(h, candidate)
            return State(b.add(candidate, b.mul(z, rest)))

    def _reset(self, b: Builder, candidate: Tensor, h: Tensor | None, r: Tensor, recurrent: Tensor | None) -> Tensor:
        """The candidate and what the reset state adds to it."""
        if self.linear_before_reset:
            with b.part("cell"):
                hidden = candidate.shape[1]
                return candidate if recurrent is None else b.add(candidate, b.mul(r, _gate(b, recurrent, 2, 1, hidden)))
        if h is None:
            return candidate
        with b.part("cell"):
            reset = b.mul(r, h)
        with b.part("candidate"):
            return self.products[1].added(b, candidate, reset)


def _affine(scale: float, shift: float) -> Activation:
    return lambda b, x: b.shifted(b.scaled(x, scale), shift)


def _elu(alpha: float) -> Activation:
    return lambda b, x: b.add(_positive(b, x), b.scaled(expm1(b, _negative(b, x)), alpha))


def _leaky_relu(alpha: float) -> Activation:
    return lambda b, x: b.add(_positive(b, x), b.scaled(_negative(b, x), alpha))


def _thresholded_relu(alpha: float) -> Activation:
    """x above alpha, else 0: what x exceeds it by is scaled so much that all of it is clamped to 1."""
    return lambda b, x: b.mul(x, b.clamp(b.scaled(b.shifted(x, -alpha), _LARGEST), 0, 1))


def _positive(b: Builder, x: Tensor) -> Tensor:
    return b.clamp(x, 0, math.inf)


def _negative(b: Builder, x: Tensor) -> Tensor:
    return b.clamp(x, -math.inf, 0)


def _softsign(b: Builder, x: Tensor) -> Tensor:
    return b.mul(x, b.unary("reciprocal", b.shifted(b.unary("abs", x), 1)))


_ACTIVATIONS: Final[Mapping[str, tuple[float, float, Callable[[float, float], Activation]]]] = {
    "affine": (1.0, 0.0, _affine),
    "elu": (1.0, 0.0, lambda alpha, beta: _elu(alpha)),
    "hardsigmoid": (0.2, 0.5, lambda alpha, beta: lambda b, x: b.clamp(_affine(alpha, beta)(b, x), 0, 1)),
    "leakyrelu": (0.01, 0.0, lambda alpha, beta: _leaky_relu(alpha)),
    "relu": (0.0, 0.0, lambda alpha, beta: lambda b, x: b.clamp(x, 0, math.inf)),
    "scaledtanh": (1.0, 1.0, lambda alpha, beta: lambda b, x: b.scaled(b.unary("tanh", b.scaled(x, beta)), alpha)),
    "sigmoid": (0.0, 0.0, lambda alpha, beta: lambda b, x: b.unary("sigmoid", x)),
    "softplus": (0.0, 0.0, lambda alpha, beta: softplus),
    "softsign": (0.0, 0.0, lambda alpha, beta: _softsign),
    "tanh": (0.0, 0.0, lambda alpha, beta: lambda b, x: b.unary("tanh", x)),
    "thresholdedrelu": (1.0, 0.0, lambda alpha, beta: _thresholded_relu(alpha)),
}
"""By lower-case name: alpha and beta if the node gives none, and the function of both."""


def activations(names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]) -> list[Activation]:
    """The activations of a node. Those that take alpha or beta take theirs in order from the lists."""
    found: list[Activation] = []
    alpha_values, beta_values = iter(alphas), iter(betas)
    for name in (n.lower() for n in names):
        if name not in _ACTIVATIONS:
            raise Unsupported(f"activation {name!r}")
        alpha, beta, make = _ACTIVATIONS[name]
        alpha = next(alpha_values, alpha) if name in _TAKES_ALPHA else alpha
        beta = next(beta_values, beta) if name in _TAKES_BETA else beta
        found.append(make(alpha, beta))
    return found


_TAKES_ALPHA: Final = frozenset({"affine", "elu", "hardsigmoid", "leakyrelu", "scaledtanh", "thresholdedrelu"})
_TAKES_BETA: Final = frozenset({"affine", "hardsigmoid", "scaledtanh"})
