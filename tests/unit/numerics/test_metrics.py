from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.numerics.formats import INT8_WEIGHTS
from quantune_mlir.numerics.metrics import ErrorEnergy, sqnr_delta, weight_energy
from quantune_mlir.numerics.schemes import Scheme


@given(st.integers(0, 2**32 - 1), st.integers(0, 50))
def test_metrics_agree_with_numpy_however_the_elements_are_split(seed: int, split: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=50).astype(np.float32)
    y = x + rng.normal(size=50).astype(np.float32) * np.float32(0.01)
    energy = ErrorEnergy.of(x[:split], y[:split]) + ErrorEnergy.of(x[split:], y[split:])
    error = x.astype(np.float64) - y
    assert energy.sqnr_db == pytest.approx(10 * np.log10(np.sum(x.astype(np.float64) ** 2) / np.sum(error**2)))
    assert energy.mse == pytest.approx(np.mean(error**2))
    assert energy.normalized_mse == pytest.approx(10 ** (-(energy.sqnr_db or 0) / 10))
    assert energy.count == 50


def test_exact_and_silent_tensors() -> None:
    ones, zeros = np.ones(3), np.zeros(3)
    exact = ErrorEnergy.of(ones, ones)
    assert (exact.sqnr_db, exact.mse, exact.normalized_mse) == (math.inf, 0.0, 0.0)
    silent = ErrorEnergy.of(zeros, ones)
    assert (silent.sqnr_db, silent.mse, silent.normalized_mse) == (None, 1.0, None)
    assert (ErrorEnergy().sqnr_db, ErrorEnergy().mse) == (None, None)


def test_energies_of_extreme_magnitude_do_not_overflow() -> None:
    assert ErrorEnergy(1e300, 1e-300, 1).sqnr_db == pytest.approx(6000)


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        ([30.0, 20.0], 15.0, 5.0),
        ([20.0], 22.0, -2.0),
        ([math.inf], 40.0, math.inf),
        ([math.inf, 31.0], 30.0, 1.0),
        ([math.inf], math.inf, 0.0),
        ([30.0], math.inf, -math.inf),
        ([], 30.0, math.inf),
        ([None, 35.0], 30.0, 5.0),
        ([None], math.inf, 0.0),
        ([30.0], None, None),
    ],
)
def test_sqnr_delta(inputs: list[float | None], output: float | None, expected: float | None) -> None:
    assert sqnr_delta(inputs, output) == expected


def weight_sqnr(weights: np.ndarray, axis: int | None) -> float | None:
    return weight_energy(weights.astype(np.float32), Scheme.SYMMETRIC, axis, INT8_WEIGHTS).sqnr_db


def test_weight_sqnr_per_channel_beats_per_tensor_where_channels_differ() -> None:
    weights = np.random.default_rng(0).normal(size=(8, 100)).astype(np.float32)
    uniform = weight_sqnr(weights, None)
    weights *= np.float32(10.0) ** -np.arange(8, dtype=np.float32)[:, None]
    per_channel, per_tensor = (weight_sqnr(weights, axis) for axis in (0, None))
    assert uniform is not None and per_channel is not None and per_tensor is not None
    assert per_channel > per_tensor
    assert 35 < uniform < 50
    assert weight_sqnr(np.zeros((2, 2)), 0) is None
    assert weight_sqnr(np.array([127.0, -64.0, 0.0]), None) == math.inf
