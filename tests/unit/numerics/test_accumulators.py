from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.numerics.accumulators import (
    INT32_MAX,
    codes_of_bounds,
    common_scale,
    dot_scale,
    largest_accumulators,
    largest_sum,
    product_scale,
    ratio,
    reach,
)
from quantune_mlir.numerics.parameters import QuantParams, params_of_constant, quantize
from quantune_mlir.numerics.requantize import multiplier_and_shift, rescale
from quantune_mlir.numerics.schemes import Scheme

scales = st.floats(1e-4, 1e3).map(lambda scale: float(np.float32(scale)))


def test_an_accumulator_is_worth_what_its_factors_are() -> None:
    left, right = QuantParams(0.5, 3), QuantParams(0.25, -7)
    codes = np.array([[10, -4], [100, 127]], np.int64)
    real = (codes[0] - left.zero_point) * left.scale, (codes[1] - right.zero_point) * right.scale
    centred = codes[0] - left.zero_point, codes[1] - right.zero_point
    assert (centred[0] * centred[1] * product_scale(left, right)).tolist() == (real[0] * real[1]).tolist()
    weights = np.array([[3, -2], [5, 1]])
    of_weights = np.array([0.5, 2.0], np.float32)
    assert (centred[0] @ weights * dot_scale(0.5, of_weights)).tolist() == (real[0] @ (weights * of_weights)).tolist()


@given(left=scales, right=scales)
def test_terms_of_a_sum_lose_little_and_fit(left: float, right: float) -> None:
    common = common_scale(QuantParams(left), QuantParams(right))
    assert 255 * (ratio(left, common) + ratio(right, common)) < 2**28
    assert common < max(left, right) / 2**18


@pytest.mark.parametrize(
    ("bound", "code"), [(0.0, 10), (0.24, 10), (0.26, 11), (-np.inf, -128), (np.inf, 127), (1, 12)]
)
def test_codes_of_bounds(bound: float, code: int) -> None:
    assert codes_of_bounds(bound, QuantParams(0.5, 10)) == code


@given(
    bound=st.integers(-127, 126),
    zero_point=st.integers(-128, 127),
    factor=st.floats(2.0**-20, 0.5),
    beyond=st.integers(1, 1000),
)
def test_the_largest_accumulator_reaches_its_bound_and_no_more(
    bound: int, zero_point: int, factor: float, beyond: int
) -> None:
    params = QuantParams(1.0, zero_point)
    (largest,) = largest_accumulators(np.array([bound]), np.array([factor]), params)
    multiplier, shift = multiplier_and_shift(factor)
    codes = rescale(np.array([largest, largest + beyond / factor]), multiplier, shift, output_zp=zero_point)
    assert codes[0] == bound
    assert codes[1] > bound or codes[1] == 127


def test_parameters_of_a_constant_hold_it_and_zero() -> None:
    array = np.array([2.0, 5.1], np.float32)
    params = params_of_constant(array, Scheme.ASYMMETRIC)
    assert params.zero_point == -128
    assert quantize(array, params).tolist() == [-28, 127]


@given(st.integers(0, 2**32 - 1), st.integers(1, 2000), st.integers(-128, 127), st.sampled_from([0, 1]))
def test_no_sum_exceeds_its_bound(seed: int, terms: int, zero_point: int, axis: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (3, terms) if axis == 0 else (terms, 3)).astype(np.int8)
    bias = rng.integers(-(2**31), 2**31, 3).astype(np.int32)
    params = QuantParams(1.0, zero_point)
    bound = largest_sum(weights, bias, axis, reach(params))
    along = weights if axis == 0 else weights.T
    worst = np.where(along > 0, 127, -128) if zero_point < 0 else np.where(along > 0, -128, 127)
    sums = (along.astype(np.int64) * (worst - zero_point)).sum(axis=1)
    for sign in (-1, 1):
        assert np.abs(sums + sign * np.abs(bias.astype(np.int64))).max() <= bound
    exact = (np.abs(along.astype(np.int64)).sum(axis=1) * reach(params) + np.abs(bias.astype(np.int64))).max()
    assert bound == exact or exact <= bound <= INT32_MAX
