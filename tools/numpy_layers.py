"""The few neural network layers that tools/make_digits_model.py trains, in NumPy, each with its gradient.

Tensors are NHWC, float32. `forward` remembers what `backward` needs; `backward` takes the gradient of the loss with
respect to the layer's output, stores the gradients of the layer's parameters in
`gradients` and returns the gradient with respect to the layer's input.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]


class Layer:
    """A layer with parameters by name, and their gradients by the same names after `backward`."""

    def __init__(self, **parameters: Array) -> None:
        self.parameters = parameters
        self.gradients: dict[str, Array] = {}

    def forward(self, x: Array, *, training: bool) -> Array:
        raise NotImplementedError

    def backward(self, gradient: Array) -> Array:
        raise NotImplementedError


class Conv(Layer):
    """Convolution with stride 1, "same" padding and no bias; weights [k, k, inputs, outputs], He-initialized."""

    def __init__(self, rng: np.random.Generator, kernel: int, inputs: int, outputs: int) -> None:
        spread = np.sqrt(2.0 / (kernel * kernel * inputs))
        super().__init__(w=rng.normal(0.0, spread, (kernel, kernel, inputs, outputs)).astype(np.float32))

    def forward(self, x: Array, *, training: bool) -> Array:
        w = self.parameters["w"]
        self._windows = _windows(x, w.shape[0])
        return np.tensordot(self._windows, w, axes=([3, 4, 5], [0, 1, 2]))

    def backward(self, gradient: Array) -> Array:
        w = self.parameters["w"]
        self.gradients["w"] = np.tensordot(self._windows, gradient, axes=([0, 1, 2], [0, 1, 2]))
        flipped = w[::-1, ::-1].swapaxes(2, 3)
        return np.tensordot(_windows(gradient, w.shape[0]), flipped, axes=([3, 4, 5], [0, 1, 2]))


class DepthwiseConv(Layer):
    """Depthwise convolution with stride 1, "same" padding and no bias; weights [k, k, channels], He-initialized."""

    def __init__(self, rng: np.random.Generator, kernel: int, channels: int) -> None:
        spread = np.sqrt(2.0 / (kernel * kernel))
        super().__init__(w=rng.normal(0.0, spread, (kernel, kernel, channels)).astype(np.float32))

    def forward(self, x: Array, *, training: bool) -> Array:
        w = self.parameters["w"]
        self._windows = _windows(x, w.shape[0])
        return np.einsum("nhwijc,ijc->nhwc", self._windows, w)

    def backward(self, gradient: Array) -> Array:
        w = self.parameters["w"]
        self.gradients["w"] = np.einsum("nhwijc,nhwc->ijc", self._windows, gradient)
        return np.einsum("nhwijc,ijc->nhwc", _windows(gradient, w.shape[0]), w[::-1, ::-1])


class BatchNorm(Layer):
    """Batch normalization over samples and positions, with running statistics for inference."""

    EPSILON = 1e-5
    MOMENTUM = 0.95

    def __init__(self, channels: int) -> None:
        super().__init__(scale=np.ones(channels, np.float32), bias=np.zeros(channels, np.float32))
        self.mean = np.zeros(channels, np.float32)
        self.variance = np.ones(channels, np.float32)

    def forward(self, x: Array, *, training: bool) -> Array:
        if training:
            mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
            self.mean = self.MOMENTUM * self.mean + (1 - self.MOMENTUM) * mean
            self.variance = self.MOMENTUM * self.variance + (1 - self.MOMENTUM) * variance
        else:
            mean, variance = self.mean, self.variance
        self._inverse = 1.0 / np.sqrt(variance + self.EPSILON)
        self._normalized = (x - mean) * self._inverse
        return self.parameters["scale"] * self._normalized + self.parameters["bias"]

    def backward(self, gradient: Array) -> Array:
        self.gradients["scale"] = (gradient * self._normalized).sum(axis=(0, 1, 2))
        self.gradients["bias"] = gradient.sum(axis=(0, 1, 2))
        count = gradient[..., 0].size
        centred = gradient - (self.gradients["bias"] + self._normalized * self.gradients["scale"]) / count
        return centred * (self.parameters["scale"] * self._inverse)


class Clip(Layer):
    """Clamp to [0, high]: ReLU for an infinite bound, ReLU6 for 6."""

    def __init__(self, high: float = np.inf) -> None:
        super().__init__()
        self.high = high

    def forward(self, x: Array, *, training: bool) -> Array:
        self._inside = (x > 0) & (x < self.high)
        return np.clip(x, 0, self.high)

    def backward(self, gradient: Array) -> Array:
        return gradient * self._inside


class HardSwish(Layer):
    """x·clip(x + 3, 0, 6)/6."""

    def forward(self, x: Array, *, training: bool) -> Array:
        self._slope = np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6)).astype(np.float32)
        return x * np.clip(x + 3, 0, 6) / 6

    def backward(self, gradient: Array) -> Array:
        return gradient * self._slope


class MaxPool(Layer):
    """Maximum over 2×2 windows with stride 2."""

    def forward(self, x: Array, *, training: bool) -> Array:
        n, h, w, c = x.shape
        blocks = x.reshape(n, h // 2, 2, w // 2, 2, c)
        y = blocks.max(axis=(2, 4))
        largest = blocks == y[:, :, None, :, None]
        self._share = largest / largest.sum(axis=(2, 4), keepdims=True, dtype=np.float32)
        return y

    def backward(self, gradient: Array) -> Array:
        n, h, w, c = gradient.shape
        return (self._share * gradient[:, :, None, :, None]).reshape(n, 2 * h, 2 * w, c)


class GlobalAveragePool(Layer):
    """Mean over all positions: [N, H, W, C] to [N, C]."""

    def forward(self, x: Array, *, training: bool) -> Array:
        self._shape = x.shape
        return x.mean(axis=(1, 2))

    def backward(self, gradient: Array) -> Array:
        _, h, w, _ = self._shape
        return np.broadcast_to(gradient[:, None, None] / (h * w), self._shape)


class Dense(Layer):
    """Fully connected; weights [inputs, outputs]."""

    def __init__(self, rng: np.random.Generator, inputs: int, outputs: int) -> None:
        w = rng.normal(0.0, np.sqrt(1.0 / inputs), (inputs, outputs)).astype(np.float32)
        super().__init__(w=w, b=np.zeros(outputs, np.float32))

    def forward(self, x: Array, *, training: bool) -> Array:
        self._x = x
        return x @ self.parameters["w"] + self.parameters["b"]

    def backward(self, gradient: Array) -> Array:
        self.gradients = {"w": self._x.T @ gradient, "b": gradient.sum(axis=0)}
        return gradient @ self.parameters["w"].T


class Chain(Layer):
    """Layers one after the other."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Array, *, training: bool) -> Array:
        for layer in self.layers:
            x = layer.forward(x, training=training)
        return x

    def backward(self, gradient: Array) -> Array:
        for layer in reversed(self.layers):
            gradient = layer.backward(gradient)
        return gradient


class Residual(Layer):
    """x + inner(x)."""

    def __init__(self, inner: Layer) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Array, *, training: bool) -> Array:
        return x + self.inner.forward(x, training=training)

    def backward(self, gradient: Array) -> Array:
        return gradient + self.inner.backward(gradient)


def softmax_cross_entropy(logits: Array, labels: npt.NDArray[np.integer]) -> tuple[float, Array]:
    """Mean loss over a batch, and its gradient with respect to the logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    gradient = np.exp(log_probabilities)
    gradient[rows, labels] -= 1
    return float(-log_probabilities[rows, labels].mean()), gradient / len(labels)


def _windows(x: Array, kernel: int) -> Array:
    """The k×k neighbourhood of every position, zero outside: [N, H, W, C] to [N, H, W, k, k, C]."""
    n, h, w, c = x.shape
    margin = kernel // 2
    padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    taps = [padded[:, i : i + h, j : j + w] for i in range(kernel) for j in range(kernel)]
    return np.stack(taps, axis=3).reshape(n, h, w, kernel, kernel, c)
