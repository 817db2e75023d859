"""Pooling, windowed averages and means against IREE's own code for the same TOSA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.kernels.programs import BY_LANES, Text, Value, assert_equal, leftovers, run

CHANNELS = st.sampled_from([2, 3, 7, 16, 20, 37, 64, 72, 100])
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 4))


@dataclass(frozen=True)
class Pool:
    """A windowed reduction with `size` output pixels."""

    name: str
    element: str
    channels: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int, int, int]
    batch: int = 1
    cut: int = 0
    """Rows and columns of the input before those that are pooled; one more stands behind them."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Rows and columns that are pooled."""
        (h, w), (kh, kw), (sh, sw), (top, bottom, left, right) = self.size, self.kernel, self.stride, self.pad
        return (h - 1) * sh + kh - top - bottom, (w - 1) * sw + kw - left - right

    @property
    def is_possible(self) -> bool:
        """Whether TOSA allows it."""
        (kh, kw), (top, bottom, left, right) = self.kernel, self.pad
        return min(self.input_size) > 0 and max(top, bottom) < kh and max(left, right) < kw

    def write(self, text: Text) -> None:
        """Add it to a program."""
        height, width = self.input_size
        source = cropped(text, (self.batch, height, width, self.channels), self.element, self.cut)
        attributes = ", ".join(
            f"{name} = array<i64: {', '.join(map(str, numbers))}>"
            for name, numbers in (("kernel", self.kernel), ("stride", self.stride), ("pad", self.pad))
        )
        operands = [source]
        if self.name == "avg_pool2d":
            zero_point = text.constant(np.array([5], np.int8) if self.element == "i8" else np.zeros(1, np.float32))
            operands += [zero_point, zero_point]
            attributes += f", acc_type = {'i32' if self.element == 'i8' else 'f32'}"
        shape = (self.batch, *self.size, self.channels)
        text.results.append(text.op(self.name, operands, shape, self.element, attributes))


def cropped(text: Text, shape: tuple[int, int, int, int], element: str, cut: int) -> Value:
    batch, height, width, channels = shape
    if cut == 0:
        return text.input(shape, element)
    whole = text.input((batch, height + cut + 1, width + cut + 1, channels), element)
    return text.slice(whole, (0, cut, cut, 0), shape)


@st.composite
def pools(draw: st.DrawFn, name: str, element: str) -> Pool:
    pad = draw(st.tuples(*[st.integers(0, 2)] * 4))
    cut = 0 if any(pad) else draw(st.integers(0, 2))
    kernel, stride = (draw(st.tuples(st.integers(1, 5), st.integers(1, 5))) for _ in range(2))
    stride = (min(stride[0], 3), min(stride[1], 3))
    pool = Pool(name, element, draw(CHANNELS), draw(SIZES), kernel, stride, pad, draw(st.integers(1, 2)), cut)
    return pool if pool.is_possible else Pool(name, element, pool.channels, pool.size, (5, 5), stride, pad, pool.batch)


def mean(text: Text, shape: tuple[int, ...], mode: str, axes: tuple[int, ...], cut: int = 0) -> None:
    """reduce_sum over `axes` as int8 networks have it (`integer`, `float`), or of fp32."""
    element = "f32" if mode == "fp32" else "i8"
    value = cropped(text, shape, element, cut) if len(shape) == 4 else text.input(shape, element)  # pyright: ignore[reportArgumentType]
    if mode != "fp32":
        value = text.rescale(value, 1.0, -6, 0, "i32")
    count = 1
    for axis in axes:
        count *= value.shape[axis]
        reduced = [1 if i == axis else size for i, size in enumerate(value.shape)]
        value = text.op("reduce_sum", [value], reduced, value.element, f"axis = {axis} : i32")
    if mode == "integer":
        text.results.append(text.rescale(value, 1.7 / count, 0, 9, "i8"))
        return
    if mode == "float":
        value = text.like("cast", value, element="f32")
    value = text.mul(value, text.number(1.7 / count, value))
    text.results.append(value if mode == "fp32" else text.like("cast", value, element="i8"))


def check(text: Text) -> None:
    expected = run(text, None)
    for isa in BY_LANES:
        assert leftovers(text, isa) == []
        assert_equal(run(text, isa), expected)


@given(st.tuples(*[pools(n, e) for n in ("max_pool2d", "avg_pool2d") for e in ("i8", "f32", "i8", "f32")]))
@settings(max_examples=5, deadline=None)
def test_windows_equal_tosa(cases: tuple[Pool, ...]) -> None:
    text = Text()
    for case in cases:
        case.write(text)
    check(text)


@given(st.lists(st.tuples(CHANNELS, SIZES, st.integers(1, 2), st.integers(0, 2)), min_size=2, max_size=2))
@settings(max_examples=3, deadline=None)
def test_means_equal_tosa(cases: list[tuple[int, tuple[int, int], int, int]]) -> None:
    text = Text()
    for channels, (height, width), batch, cut in cases:
        for mode in ("integer", "float", "fp32"):
            mean(text, (batch, height, width, channels), mode, (1, 2), cut)
            mean(text, (batch, height, width, channels), mode, (2,))
            mean(text, (batch, height * 7, channels), mode, (1,))
    check(text)


def test_several_workgroups_cover_everything() -> None:
    text = Text()
    Pool("max_pool2d", "i8", 40, (31, 30), (3, 3), (1, 1), (1, 1, 1, 1), 2).write(text)
    mean(text, (1, 23, 21, 333), "integer", (1, 2))
    mean(text, (2, 17, 19, 1000), "fp32", (1, 2))
    check(text)


@pytest.mark.parametrize("pad", [(0, 1, 0, 1), (1, 1, 1, 1)])
def test_a_slice_before_padding_is_not_looked_through(pad: tuple[int, int, int, int]) -> None:
    """The border of the slice is padding, not what stands there in the tensor that was sliced."""
    text = Text()
    Pool("max_pool2d", "i8", 16, (3, 3), (2, 2), (1, 1), pad, cut=1).write(text)
    expected = run(text, None)
    assert_equal(run(text, BY_LANES[0]), expected)
