from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.numerics.formats import INT8_WEIGHTS
from quantune_mlir.numerics.quantized_weights import Blocks, quantize_product
from quantune_mlir.numerics.schemes import Scheme


def test_a_product_without_bias_has_none() -> None:
    weights = np.array([[1.0, -4.0], [0.5, 2.0]], np.float32)
    found = quantize_product(weights, None, 0.5, Scheme.SYMMETRIC, 1, INT8_WEIGHTS)
    assert found.bias is None
    np.testing.assert_array_equal(found.integers, [[127, -127], [64, 64]])
    np.testing.assert_allclose(found.scales, [1 / 127, 4 / 127], rtol=1e-6)


def test_the_bias_makes_up_for_what_rounding_adds_on_average() -> None:
    """With the inputs' means, the rounded product has the mean that the exact one has."""
    random = np.random.default_rng(0)
    weights, bias = random.normal(size=(4, 9)).astype(np.float32), random.normal(size=4).astype(np.float32)
    means = random.normal(size=9)

    def mean_error(rounded: Blocks) -> np.ndarray:
        return np.concatenate([(block - weights[part]) @ means for part, block in rounded])

    exact = weights @ means + bias
    errors = []
    for correction in (None, mean_error):
        found = quantize_product(weights, bias, 1e-3, Scheme.SYMMETRIC, None, INT8_WEIGHTS, correction)
        assert found.bias is not None
        rounded = found.integers * np.float64(found.scales)
        errors.append(np.abs(rounded @ means + found.bias * (1e-3 * np.float64(found.scales)) - exact).max())
    assert errors[1] < 1e-4 < errors[0]


@pytest.mark.parametrize("axis", [0, None])
def test_scales_grow_where_the_bias_would_not_fit(axis: int | None) -> None:
    weights, bias = np.array([[1e-9], [1.0]], np.float32), np.array([100.0, 0.0], np.float32)
    found = quantize_product(weights, bias, 1e-4, Scheme.SYMMETRIC, axis, INT8_WEIGHTS)
    assert found.bias is not None
    assert abs(found.bias).max() <= 2**30
    assert found.bias[0] * 1e-4 * np.float64(found.scales[0]) == pytest.approx(100.0, rel=1e-6)
