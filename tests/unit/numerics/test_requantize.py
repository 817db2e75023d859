from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.errors import QuantuneError
from quantune_mlir.numerics.requantize import (
    apply_scale_32,
    multiplier_and_shift,
    multipliers_and_shifts,
    requantize_float,
    rescale,
)

multipliers = st.integers(2**30, 2**31 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)


def exact_apply_scale(value: int, multiplier: int, shift: int, double_round: bool) -> int:
    """The specification's pseudocode in Python's unbounded integers."""
    rounding = 1 << (shift - 1)
    if double_round and shift > 31:
        rounding += (1 << 30) if value >= 0 else -(1 << 30)
    return (value * multiplier + rounding) >> shift


@given(st.floats(2.0**-32, 2.0**29, exclude_max=True))
def test_multiplier_is_normalized_and_accurate(scale: float) -> None:
    try:
        multiplier, shift = multiplier_and_shift(scale)
    except QuantuneError:
        assert scale > 2.0**29 * (1 - 2.0**-31)
        return
    assert 2**30 <= multiplier < 2**31 and 2 <= shift <= 62
    assert abs(Fraction(multiplier, 2**shift) / Fraction(scale) - 1) <= Fraction(1, 2**31)


def test_a_mantissa_that_rounds_up_to_one_is_normalized() -> None:
    assert multiplier_and_shift(1.0 - 2.0**-40) == multiplier_and_shift(1.0) == (2**30, 30)


def test_limits_of_the_scale() -> None:
    assert multiplier_and_shift(2.0**-32) == (2**30, 62)
    assert multiplier_and_shift(2.0**-34) == (2**28, 62)
    assert multiplier_and_shift(1e-300) == (0, 62)
    for scale in (2.0**29, 1e300):
        with pytest.raises(QuantuneError, match=r"2\^29"):
            multiplier_and_shift(scale)
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(QuantuneError, match="positive"):
            multiplier_and_shift(scale)


def test_one_pair_per_channel() -> None:
    multiplier, shift = multipliers_and_shifts(np.array([0.5, 0.001], np.float32))
    assert (multiplier.dtype, shift.dtype) == (np.int32, np.int8)
    assert (multiplier[1], shift[1]) == multiplier_and_shift(float(np.float32(0.001)))


@given(int32, multipliers, st.integers(2, 62), st.booleans())
def test_apply_scale_equals_unbounded_integer_arithmetic(value: int, m: int, shift: int, double_round: bool) -> None:
    expected = exact_apply_scale(value, m, shift, double_round)
    assert int(apply_scale_32(value, m, shift, double_round=double_round)) == expected


@given(st.lists(int32, min_size=3, max_size=3), st.integers(-128, 127), st.integers(-128, 127), st.booleans())
def test_rescale_per_channel_equals_unbounded_integer_arithmetic(
    values: list[int], input_zp: int, output_zp: int, double_round: bool
) -> None:
    multiplier, shift = multipliers_and_shifts([0.3, 0.0007, 2e-8])
    found = rescale(
        values, multiplier, shift, input_zp=input_zp, output_zp=output_zp, lo=-100, double_round=double_round
    )
    for value, m, s, result in zip(values, multiplier.tolist(), shift.tolist(), found.tolist(), strict=True):
        exact = exact_apply_scale(value - input_zp, m, s, double_round) + output_zp
        assert result == min(max(exact, -100), 127)


def test_single_rounding_rounds_halves_up_and_double_rounding_away_from_zero() -> None:
    halves = np.array([1, -1, 3, -3])
    assert rescale(halves, 2**30, 31).tolist() == [1, 0, 2, -1]
    assert rescale(halves, 2**30, 31, double_round=True).tolist() == [1, 0, 2, -1]
    wide = np.array([1, -1, 3, -3]) << 1
    assert rescale(wide, 2**30, 32).tolist() == [1, 0, 2, -1]
    assert rescale(wide, 2**30, 32, double_round=True).tolist() == [1, -1, 2, -2]


@given(st.lists(int32, min_size=1, max_size=20), st.floats(2.0**-30, 1.0, width=32), st.integers(-128, 127))
def test_float_mode_is_float32_step_by_step(values: list[int], scale: float, zero_point: int) -> None:
    found = requantize_float(np.array(values, np.int32), scale, zero_point)
    for value, q in zip(values, found.tolist(), strict=True):
        step = np.float32(np.float32(value) * np.float32(scale)) + np.float32(zero_point)
        assert q == min(max(round(float(np.float32(step))), -128), 127)


def test_float_mode_rounds_half_to_even_with_the_zero_point_in() -> None:
    assert requantize_float([1, 3, 5, -1], 0.5).tolist() == [0, 2, 2, 0]
    assert requantize_float([1, 3, 5, -1], 0.5, 1).tolist() == [2, 2, 4, 0]
    assert requantize_float([[10, 10]], [0.5, 2.0], lo=0, hi=6).tolist() == [[5, 6]]


@given(st.integers(-(2**24), 2**24), st.floats(2.0**-24, 0.875, width=32))
def test_both_modes_differ_by_at_most_one(value: int, scale: float) -> None:
    multiplier, shift = multiplier_and_shift(scale)
    assert abs(int(rescale(value, multiplier, shift)) - int(requantize_float(value, scale))) <= 1
