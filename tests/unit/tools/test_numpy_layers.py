from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tools import numpy_layers as nn

LAYERS: dict[str, Callable[[np.random.Generator], nn.Layer]] = {
    "conv 3x3": lambda rng: nn.Conv(rng, 3, 4, 5),
    "conv 1x1": lambda rng: nn.Conv(rng, 1, 4, 3),
    "depthwise": lambda rng: nn.DepthwiseConv(rng, 3, 4),
    "batch norm": lambda _: nn.BatchNorm(4),
    "relu6": lambda _: nn.Clip(0.8),
    "hard swish": lambda _: nn.HardSwish(),
    "max pool": lambda _: nn.MaxPool(),
    "average pool and dense": lambda rng: nn.Chain(nn.GlobalAveragePool(), nn.Dense(rng, 4, 3)),
    "residual": lambda rng: nn.Residual(nn.Conv(rng, 3, 4, 4)),
}


def numeric_gradient(loss: Callable[[], float], array: nn.Array, step: float = 1e-5) -> nn.Array:
    """Central differences of `loss` over the elements of `array`, which is changed and restored."""
    gradient = np.zeros(array.shape)
    for index in np.ndindex(*array.shape):
        value = array[index]
        array[index] = value + step
        above = loss()
        array[index] = value - step
        gradient[index] = (above - loss()) / (2 * step)
        array[index] = value
    return gradient


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_gradients_equal_central_differences(make: Callable[[np.random.Generator], nn.Layer]) -> None:
    rng = np.random.default_rng(3)
    layer = make(rng)
    for name, parameter in layer.parameters.items():
        layer.parameters[name] = parameter.astype(np.float64)
    x = 2 * rng.normal(size=(2, 4, 6, 4))
    weighting = rng.normal(size=layer.forward(x, training=True).shape)

    def loss() -> float:
        return float((layer.forward(x, training=True) * weighting).sum())

    layer.forward(x, training=True)
    np.testing.assert_allclose(layer.backward(weighting), numeric_gradient(loss, x), atol=1e-6)
    for name, parameter in layer.parameters.items():
        numeric = numeric_gradient(loss, parameter)
        layer.forward(x, training=True)
        layer.backward(weighting)
        np.testing.assert_allclose(layer.gradients[name], numeric, atol=1e-6, err_msg=name)


def test_gradient_of_the_loss() -> None:
    rng = np.random.default_rng(4)
    logits, labels = 30 * rng.normal(size=(3, 5)), np.array([1, 4, 0])
    _, gradient = nn.softmax_cross_entropy(logits, labels)
    numeric = numeric_gradient(lambda: nn.softmax_cross_entropy(logits, labels)[0], logits)
    np.testing.assert_allclose(gradient, numeric, atol=1e-8)


def test_batch_norm_for_inference_uses_the_running_statistics() -> None:
    layer = nn.BatchNorm(2)
    rng = np.random.default_rng(5)
    for _ in range(300):
        layer.forward(rng.normal((3.0, -1.0), (2.0, 0.5), (64, 2, 2, 2)), training=True)
    y = layer.forward(np.full((1, 1, 1, 2), (5.0, -1.5)), training=False)
    np.testing.assert_allclose(y.ravel(), (1.0, -1.0), atol=0.05)
