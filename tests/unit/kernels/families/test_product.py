"""Products of two activations against NumPy: int8 to the bit, fp32 within 1e-5."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.kernels.families.test_dense import ON_THIS_MACHINE, runs_here
from tests.unit.kernels.programs import Text, Value, leftovers, run

SIZES = [(1, 1, 1, 1), (1, 3, 5, 2), (2, 7, 64, 33), (3, 33, 30, 64), (2, 40, 131, 16), (1, 70, 17, 100)]
"""Batch, rows, depth, columns."""


def product(text: Text, size: tuple[int, int, int, int], element: str, zero_points: tuple[int, int]) -> Value:
    batch, rows, depth, columns = size
    left, right = text.input((batch, rows, depth), element), text.input((batch, depth, columns), element)
    dtype = np.int8 if element == "i8" else np.float32
    numbers = [text.constant(np.array([number], dtype)) for number in zero_points]
    result = "i32" if element == "i8" else "f32"
    return text.op("matmul", [left, right, *numbers], (batch, rows, columns), result)


@pytest.mark.parametrize("isa", ON_THIS_MACHINE)
def test_products_are_exact_in_int8_and_right_in_fp32(isa: str) -> None:
    if not runs_here(isa):
        pytest.skip(f"this CPU cannot run {isa}")
    text = Text()
    cases = [(size, zero_points) for size in SIZES for zero_points in ((0, 0), (-128, 3), (7, -11))]
    for size, zero_points in cases:
        sums = text.like("cast", product(text, size, "i8", zero_points), element="f32")
        text.results.append(text.like("cast", text.mul(sums, text.number(1e-3, sums)), element="i8"))
    text.results += [product(text, size, "f32", (0, 0)) for size in SIZES]
    assert leftovers(text, isa) == []
    found, inputs = run(text, isa), text.samples()
    for i, (_, (x, y)) in enumerate(cases):
        left, right = (array.astype(np.int64) for array in inputs[2 * i : 2 * i + 2])
        sums = ((left - x) @ (right - y)).astype(np.float32) * np.float32(1e-3)
        np.testing.assert_array_equal(found[i], np.clip(np.rint(sums), -128, 127))
    for i in range(len(SIZES)):
        left, right = inputs[2 * (len(cases) + i) :][:2]
        wanted = left.astype(np.float64) @ right
        np.testing.assert_allclose(found[len(cases) + i], wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
