"""Argmax along the last axis against NumPy's, which takes the first of equal numbers, and NaN for the largest."""

from __future__ import annotations

import numpy as np

from tests.unit.kernels.programs import BY_LANES, Text, leftovers, run

SHAPES = [(1, 7, 5, 21), (3, 1), (4, 3), (2, 1000), (60, 70, 16), (9, 37)]


def test_the_first_of_the_largest_is_found() -> None:
    text = Text()
    for shape in SHAPES:
        for element in ("f32", "i8"):
            source = text.input(shape, element)
            attributes = f"axis = {len(shape) - 1} : i32"
            text.results.append(text.op("argmax", [source], shape[:-1], "i32", attributes))
    samples = [np.round(x) for x in text.samples()]
    samples[0][0, 3, 2, [4, 20]] = np.nan
    samples[6][1, 900:] = np.nan
    for isa in BY_LANES:
        assert leftovers(text, isa) == []
        for found, sample in zip(run(text, isa, *samples), samples, strict=True):
            np.testing.assert_array_equal(found, np.argmax(sample, axis=-1))
