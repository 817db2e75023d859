"""Resizes against IREE's own code for the same TOSA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.kernels.programs import BY_LANES, Text, Value, assert_equal, leftovers, run

NEAREST, BILINEAR = "NEAREST_NEIGHBOR", "BILINEAR"


@dataclass(frozen=True)
class Axis:
    """Pixels of an axis, and where results lie: all that the specification allows."""

    pixels: int
    numerator: int
    denominator: int
    offset: int
    results: int

    @property
    def border(self) -> int:
        """What makes the number of results whole."""
        return (self.results - 1) * self.denominator + self.offset - (self.pixels - 1) * self.numerator


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    pixels, numerator = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    denominator = draw(st.integers(1, min(20, 16 * numerator - 1)))
    offset = draw(st.integers(-numerator, min(16 * numerator, pixels * numerator) - 1))
    most = (pixels * numerator - 1 - offset) // denominator + 1
    least = max(1, ((pixels - 17) * numerator - offset) // denominator + 1)
    return Axis(pixels, numerator, denominator, offset, draw(st.integers(least, most)))


def resized(text: Text, source: Value, mode: str, rows: Axis, columns: Axis) -> Value:
    """`source` resized; a bilinear i8 as i8."""
    scale = [rows.numerator, rows.denominator, columns.numerator, columns.denominator]
    lists = scale, [rows.offset, columns.offset], [rows.border, columns.border]
    value = text.resize(source, mode, lists, (rows.results, columns.results))
    parts = rows.numerator * columns.numerator
    return text.rescale(value, 1 / parts, 0, 0, "i8") if value.element == "i32" else value


def half_pixel(pixels: int, factor: int) -> Axis:
    return Axis(pixels, 2 * factor, 2, 1 - factor, pixels * factor)


def corners(pixels: int, results: int) -> Axis:
    return Axis(pixels, results - 1, pixels - 1, 0, results)


def check(text: Text, *, exact: bool = True) -> None:
    expected = run(text, None)
    for isa in BY_LANES:
        assert leftovers(text, isa) == []
        assert_equal(run(text, isa), expected, exact=exact)


@given(st.lists(st.tuples(axes(), axes(), st.sampled_from([1, 3, 8, 21, 37, 100]), st.integers(1, 3)), min_size=2))
@settings(max_examples=2, deadline=None)
def test_resizes_equal_tosa(cases: list[tuple[Axis, Axis, int, int]]) -> None:
    text = Text()
    for rows, columns, channels, batch in cases[:2]:
        for element in ("f32", "i8"):
            source = text.input((batch, rows.pixels, columns.pixels, channels), element)
            for mode in (NEAREST, BILINEAR):
                text.results.append(resized(text, source, mode, rows, columns))
    check(text)


LARGE = {
    "images that workgroups share": ((21, 14, 14, 1), half_pixel(14, 4)),
    "rows that workgroups share": ((1, 33, 33, 21), corners(33, 129)),
    "blocks of columns": ((1, 9, 9, 21), half_pixel(9, 64)),
    "blocks of channels": ((1, 3, 3, 2500), half_pixel(3, 2)),
    "blocks of what shrinks": ((1, 513, 513, 3), corners(513, 129)),
}


def test_what_a_cache_does_not_hold_is_resized_in_blocks() -> None:
    text = Text()
    for shape, axis in LARGE.values():
        for element, mode in (("f32", BILINEAR), ("i8", NEAREST)):
            text.results.append(resized(text, text.input(shape, element), mode, axis, axis))
    assert leftovers(text, "avx2") == []
    assert_equal(run(text, "avx2"), run(text, None))


def test_what_precedes_and_follows_is_one_kernel_with_it() -> None:
    text = Text()
    axis, fine = half_pixel(5, 2), (1, 10, 10, 20)
    for mode in (NEAREST, BILINEAR):
        codes = text.input((1, 5, 5, 20), "i8")
        real = text.like("cast", codes, element="f32")
        real = text.mul(text.like("sub", real, text.number(3, real)), text.number(0.5, real))
        pyramid = resized(text, real, mode, axis, axis)
        pyramid = text.like("add", pyramid, text.input(fine, "f32"))
        per_channel = text.constant(np.linspace(0.5, 2, 20, dtype=np.float32).reshape(1, 1, 1, 20))
        text.results.append(text.like("cast", text.mul(pyramid, per_channel), element="i8"))
    one, other = text.input((2, 5, 5, 7), "i8"), text.input((2, 10, 10, 24), "i8")
    parts = [resized(text, one, mode, axis, axis) for mode in (NEAREST, BILINEAR)]
    text.results.append(text.op("concat", [*parts, other], (2, 10, 10, 38), "i8", "axis = 3 : i32"))
    assert leftovers(text, "avx512vnni") == []
    assert_equal(run(text, "avx512vnni"), run(text, None), exact=False)
