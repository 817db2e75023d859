from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.workflow.input_range import looks_unscaled

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, 1000).astype(np.float32)
SUMS = RNG.normal(0, 1, 1000).astype(np.float32)
BIAS = np.array([1.0, -0.5, 0.7], np.float32)


@pytest.mark.parametrize(
    ("inputs", "outputs", "bias", "unscaled"),
    [
        (PIXELS, 120 * SUMS, BIAS, True),
        (PIXELS, SUMS, BIAS, False),  # a network that scales pictures itself
        (PIXELS / 255, SUMS, BIAS, False),
        (PIXELS - 128, 600 * SUMS, BIAS, False),  # means subtracted, as Caffe's networks take them
        (PIXELS, 120 * SUMS, np.zeros(3, np.float32), False),  # nothing to compare with
    ],
)
def test_pictures_that_were_not_scaled(
    inputs: np.ndarray, outputs: np.ndarray, bias: np.ndarray, unscaled: bool
) -> None:
    assert looks_unscaled(Histogram.of(inputs), Histogram.of(outputs), bias) is unscaled
