"""What becomes of NaN in kernels that look for the larger or the smaller: as TOSA's `nan_mode` says.

PROPAGATE gives NaN where an operand is NaN; IGNORE gives the other operand (TOSA's apply_max_s and apply_min_s). The
largest of a window and of a row pass over NaN in both modes, see docs/limits.md.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from tests.unit.kernels.programs import BY_LANES, Text, Value, leftovers, run

Mode = Literal["PROPAGATE", "IGNORE"]
SHAPE = (1, 4, 4, 37)
X, Y = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
X[..., ::3] = np.nan
Y[0, 1::2, ::2, 5:20] = np.nan
Y[0, 0, 0, 0] = np.nan
QUARTER = np.full((1, 1, 1, 1), 0.25, np.float32)
LARGER = {"PROPAGATE": np.maximum, "IGNORE": np.fmax}
SMALLER = {"PROPAGATE": np.minimum, "IGNORE": np.fmin}


def apply(
    text: Text, name: str, operands: list[Value], mode: Mode, shape: tuple[int, ...], attributes: str = ""
) -> None:
    told = f"nan_mode = #tosa.nan_mode<{mode}>"
    text.results.append(text.op(name, operands, shape, "f32", f"{attributes}, {told}" if attributes else told))


@pytest.mark.parametrize("isa", BY_LANES)
@pytest.mark.parametrize("mode", ["PROPAGATE", "IGNORE"])
def test_nan(mode: Mode, isa: str) -> None:
    text, (larger, smaller) = Text(), (LARGER[mode], SMALLER[mode])
    x, y, quarter = text.input(SHAPE, "f32"), text.input(SHAPE, "f32"), text.constant(QUARTER)
    pairs = [((x, y), (X, Y)), ((x, quarter), (X, QUARTER)), ((quarter, y), (QUARTER, Y))]
    for operands, _ in pairs:
        apply(text, "maximum", [*operands], mode, SHAPE)
        apply(text, "minimum", [*operands], mode, SHAPE)
    apply(text, "clamp", [x], mode, SHAPE, "min_val = -0.5 : f32, max_val = 0.75 : f32")
    expected = [choose(*arrays) for _, arrays in pairs for choose in (larger, smaller)]
    expected.append(smaller(larger(X, np.float32(-0.5)), np.float32(0.75)))
    assert leftovers(text, isa) == []
    for found, wanted in zip(run(text, isa, X, Y), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_windows_and_rows_pass_over_nan() -> None:
    text = Text()
    x = text.input(SHAPE, "f32")
    window = "kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>"
    apply(text, "max_pool2d", [x], "IGNORE", (1, 2, 2, 37), window)
    apply(text, "reduce_max", [x], "IGNORE", (*SHAPE[:3], 1), "axis = 3 : i32")
    text.results.append(text.like("sub", x, text.results.pop()))
    pooled, less = run(text, BY_LANES[0], Y)
    windows = Y.reshape(2, 2, 2, 2, 37).transpose(0, 2, 1, 3, 4).reshape(1, 2, 2, 4, 37)
    np.testing.assert_array_equal(pooled, np.fmax.reduce(windows, axis=3))
    np.testing.assert_array_equal(less, Y - np.fmax.reduce(Y, axis=3, keepdims=True))


def test_a_softmax_of_nan_is_nan() -> None:
    text = Text()
    x = text.input(SHAPE, "f32")
    largest = text.op("reduce_max", [x], (*SHAPE[:3], 1), "f32", "axis = 3 : i32")
    power = text.like("exp", text.like("sub", x, largest))
    total = text.op("reduce_sum", [power], (*SHAPE[:3], 1), "f32", "axis = 3 : i32")
    text.results.append(text.mul(power, text.like("reciprocal", total)))
    (found,) = run(text, BY_LANES[0], Y)
    is_nan = np.isnan(Y).any(axis=3)
    assert np.isnan(found[is_nan]).all() and np.isfinite(found[~is_nan]).all() and 0 < is_nan.sum() < is_nan.size
