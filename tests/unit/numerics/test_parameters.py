from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.errors import DataError
from quantune_mlir.numerics import parameters
from quantune_mlir.numerics.parameters import (
    QuantParams,
    activation_params,
    dequantize,
    dequantized_blocks,
    fit_scales_to_bias,
    quantize,
    quantize_bias,
    quantize_weights,
    weight_params,
)
from quantune_mlir.numerics.schemes import Scheme

magnitudes = st.one_of(st.just(0.0), st.floats(1e-30, 1e30))
schemes = st.sampled_from(Scheme)


@given(magnitudes, magnitudes, schemes, st.integers(0, 2**32 - 1))
def test_round_trip_error_is_at_most_half_a_step(below: float, above: float, scheme: Scheme, seed: int) -> None:
    lo, hi = -float(np.float32(below)), float(np.float32(above))
    params = activation_params(lo, hi, scheme)
    x = np.random.default_rng(seed).uniform(lo, hi, size=100).astype(np.float32)
    x[:3] = lo, hi, 0.0
    restored = dequantize(quantize(x, params), params)
    assert np.abs(restored.astype(np.float64) - x).max() <= params.scale * (0.5 + 1e-4)
    assert restored[2] == 0.0


@given(magnitudes, magnitudes)
def test_zero_points_and_scales_of_the_schemes(below: float, above: float) -> None:
    lo, hi = -below, above
    assert activation_params(lo, hi, Scheme.SYMMETRIC).zero_point == 0
    assert activation_params(0.0, hi, Scheme.SYMMETRIC_WITH_UINT8).zero_point == -128
    assert activation_params(-1.0, hi, Scheme.SYMMETRIC_WITH_UINT8) == activation_params(-1.0, hi, Scheme.SYMMETRIC)
    power = activation_params(lo, hi, Scheme.SYMMETRIC_WITH_POWER2_SCALE)
    symmetric = activation_params(lo, hi, Scheme.SYMMETRIC)
    assert math.frexp(power.scale)[0] == 0.5
    assert symmetric.scale * 0.999999 <= power.scale <= 2 * symmetric.scale


def test_known_parameters() -> None:
    assert activation_params(0.0, 255.0, Scheme.ASYMMETRIC) == QuantParams(1.0, -128)
    assert activation_params(-127.5, 127.5, Scheme.ASYMMETRIC) == QuantParams(1.0, 0)
    assert activation_params(-1.0, 0.0, Scheme.ASYMMETRIC).zero_point == 127
    assert activation_params(-128.0, 100.0, Scheme.SYMMETRIC) == QuantParams(1.0, 0)
    assert activation_params(-128.0, 127.0, Scheme.SYMMETRIC_WITH_POWER2_SCALE) == QuantParams(1.0, 0)
    assert activation_params(-128.0, 127.1, Scheme.SYMMETRIC_WITH_POWER2_SCALE) == QuantParams(2.0, 0)
    assert activation_params(0.0, 0.0, Scheme.ASYMMETRIC).scale == 1.0


def test_extreme_ranges_give_usable_scales() -> None:
    largest = float(np.finfo(np.float32).max)
    assert np.isfinite(activation_params(-largest, largest, Scheme.ASYMMETRIC).scale)
    assert activation_params(0.0, 1e-45, Scheme.ASYMMETRIC).scale == 2.0**-126


def test_ties_round_to_even_and_values_beyond_saturate() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9, np.inf], np.float32)
    assert quantize(x, QuantParams(1.0)).tolist() == [0, 2, 2, 0, -2, 127, -128, 127]
    assert quantize(x, QuantParams(1.0, 1)).tolist()[:3] == [2, 2, 4]


def test_impossible_parameters_are_refused() -> None:
    for scale in (0.0, -1.0, math.inf, math.nan, 0.1):
        with pytest.raises(ValueError, match="scale"):
            QuantParams(scale)
    with pytest.raises(ValueError, match="zero point"):
        QuantParams(1.0, 128)
    with pytest.raises(ValueError, match="contain 0"):
        activation_params(1.0, 2.0, Scheme.ASYMMETRIC)


@given(schemes, st.sampled_from([None, 0, 2, -1]), st.integers(0, 2**32 - 1))
def test_weights_round_trip_within_half_a_step(scheme: Scheme, axis: int | None, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(4, 3, 5)).astype(np.float32)
    weights *= np.float32(10.0) ** np.arange(-2, 3, dtype=np.float32)
    scales = weight_params(weights, axis, scheme)
    assert scales.dtype == np.float32 and scales.shape == (1 if axis is None else weights.shape[axis],)
    quantized = quantize_weights(weights, scales, axis)
    assert quantized.min() >= -127
    shape = [1, 1, 1]
    shape[axis or 0] = -1
    rounded = np.concatenate([block for _, block in dequantized_blocks(quantized, scales, axis)])
    error = np.abs(rounded.astype(np.float64) - weights)
    assert (error <= 0.50001 * scales.reshape(shape)).all()
    if scheme is Scheme.SYMMETRIC_WITH_POWER2_SCALE:
        assert (np.frexp(scales)[0] == 0.5).all()
    else:
        assert np.abs(quantized).max() == 127


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_weights_are_the_same_in_blocks_of_any_size(axis: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(0).normal(size=(7, 3, 5)).astype(np.float32)
    scales = weight_params(weights, axis, Scheme.SYMMETRIC)
    ((_, whole),) = dequantized_blocks(quantize_weights(weights, scales, axis), scales, axis)
    monkeypatch.setattr(parameters, "_BLOCK", 40)
    blocks = list(dequantized_blocks(quantize_weights(weights, scales, axis), scales, axis))
    assert [part for part, _ in blocks] == [slice(first, first + 2) for first in (0, 2, 4, 6)]
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), whole)


def test_channels_of_zeros_get_a_safe_scale() -> None:
    weights = np.array([[0, 0], [1.27, -0.5]], np.float32)
    scales = weight_params(weights, 0, Scheme.SYMMETRIC)
    assert scales[0] == scales[1] == np.float32(0.01)
    assert not quantize_weights(weights, scales, 0)[0].any()
    assert weight_params(np.zeros((2, 3), np.float32), 0, Scheme.ASYMMETRIC).tolist() == [1, 1]


def test_nonfinite_weights_are_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        weight_params(np.array([1, np.nan], np.float32), None, Scheme.SYMMETRIC)


@pytest.mark.parametrize("scheme", [Scheme.SYMMETRIC, Scheme.SYMMETRIC_WITH_POWER2_SCALE])
def test_a_bias_far_above_its_weights_stays_representable(scheme: Scheme) -> None:
    scales = weight_params(np.array([[1e-12], [0.5]], np.float32), 0, scheme)
    bias = np.array([-3.0, 0.25], np.float32)
    fitted = fit_scales_to_bias(scales, bias, 0.02, scheme)
    assert fitted[1] == scales[1] and fitted[0] > scales[0]
    quantized = quantize_bias(bias, 0.02, fitted)
    assert abs(quantized.astype(np.int64)).max() <= 2**30
    np.testing.assert_allclose(quantized * 0.02 * fitted.astype(np.float64), bias, rtol=1e-6, atol=1e-4)
    per_tensor = fit_scales_to_bias(scales[:1], bias, 0.02, scheme)
    assert per_tensor.shape == (1,) and abs(quantize_bias(bias, 0.02, per_tensor)).max() <= 2**30
    if scheme is Scheme.SYMMETRIC_WITH_POWER2_SCALE:
        assert (np.frexp(fitted)[0] == 0.5).all()
