"""Element-wise groups against IREE's own code for the same TOSA."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.kernels.programs import BY_LANES, Text, assert_equal, leftovers, run

Shape = tuple[int, ...]
SHAPES = st.one_of(
    st.tuples(st.integers(1, 2), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3, 8, 12, 16, 17, 40, 67])),
    st.tuples(st.integers(1, 300)),
    st.tuples(st.integers(1, 3), st.sampled_from([10, 31, 64])),
)
LARGE = (1, 37, 41, 30)
"""Enough for several workgroups."""


def per_channel(text: Text, shape: Shape, scale: float) -> np.ndarray:
    return (np.linspace(0.5, 1.5, shape[-1]) * scale).astype(np.float32).reshape((1,) * (len(shape) - 1) + (-1,))


def residual_in_floats(text: Text, shape: Shape) -> None:
    terms = []
    for scale, zero_point in ((0.7, 3), (0.4, -5)):
        value = text.like("cast", text.input(shape, "i8"), element="f32")
        value = text.like("sub", value, text.number(zero_point, value))
        terms.append(text.mul(value, text.number(scale, value)))
    total = text.like("add", *terms)
    total = text.like("add", total, text.number(-7, total))
    text.results.append(text.like("cast", total, element="i8"))


def residual_in_integers(text: Text, shape: Shape) -> None:
    terms = [text.rescale(text.input(shape, "i8"), r, z, 0, "i32") for r, z in ((2.0**19, 3), (0.7 * 2**19, -5))]
    text.results.append(text.rescale(text.like("add", *terms), 2.0**-19 * 0.9, 0, -7, "i8"))


def product_in_integers(text: Text, shape: Shape) -> None:
    terms = [text.rescale(text.input(shape, "i8"), 1.0, z, 0, "i32") for z in (3, -5)]
    value = text.rescale(text.mul(*terms), np.linspace(0.001, 0.02, shape[-1]), 0, 4, "i8")
    text.results.append(text.like("clamp", value, attributes="min_val = -100 : i8, max_val = 90 : i8"))


def squeeze_and_excite(text: Text, shape: Shape) -> None:
    gates = (*(1 for _ in shape[1:]), shape[-1])
    terms = [text.rescale(text.input(of, "i8"), 1.0, z, 0, "i32") for of, z in ((shape, 3), (gates, -5))]
    text.results.append(text.rescale(text.mul(*terms), 0.01, 0, 4, "i8"))


def quantize(text: Text, shape: Shape) -> None:
    value = text.input(shape, "f32")
    value = text.mul(value, text.number(11.3, value))
    value = text.like("add", value, text.number(4, value))
    text.results.append(text.like("cast", value, element="i8"))


def quantize_before_shifting(text: Text, shape: Shape) -> None:
    value = text.mul(text.input(shape, "f32"), text.constant(per_channel(text, shape, 40.5)))
    value = text.like("clamp", value, attributes="min_val = -5.0 : f32, max_val = 250.0 : f32")
    value = text.like("cast", value, element="i32")
    value = text.like("add", value, text.constant(np.full((1,) * len(shape), -123, np.int32)))
    text.results.append(text.like("cast", value, element="i8"))


def dequantize(text: Text, shape: Shape) -> None:
    value = text.like("cast", text.input(shape, "i8"), element="f32")
    text.results.append(text.mul(value, text.constant(per_channel(text, shape, 0.05))))


def normalize(text: Text, shape: Shape) -> None:
    value = text.mul(text.input(shape, "f32"), text.constant(per_channel(text, shape, 2.0)))
    value = text.like("add", value, text.constant(per_channel(text, shape, -0.5)))
    text.results.append(text.like("clamp", value, attributes="min_val = 0.0 : f32, max_val = 6.0 : f32"))


def channels_everywhere(text: Text, shape: Shape) -> None:
    """As the adjoint of a mean: a number for each channel, multiplied by one that is told for each element."""
    value = text.input((*(1 for _ in shape[1:]), shape[-1]), "f32")
    text.results.append(text.mul(text.constant(np.full(shape, 0.3, np.float32)), value))


def one_number_for_some_axis(text: Text, shape: Shape) -> None:
    """It stands there as often as that axis is long, whatever channels there are."""
    value = text.input(shape, "f32")
    for axis in range(len(shape)):
        repeated = np.full([size if i == axis else 1 for i, size in enumerate(shape)], 0.5 + axis, np.float32)
        value = text.mul(value, text.constant(repeated))
    text.results.append(value)


def table(text: Text, shape: Shape) -> None:
    entries = text.constant((np.arange(256) * 37 % 256 - 128).astype(np.int8))
    text.results.append(text.like("table", text.input(shape, "i8"), entries))


def functions(text: Text, shape: Shape) -> None:
    value = text.input(shape, "f32")
    for name in ("sigmoid", "tanh", "exp", "erf", "abs", "floor", "ceil"):
        text.results.append(text.like(name, value))
    positive = text.like("exp", value)
    text.results.append(text.mul(text.like("reciprocal", positive), text.like("log", positive)))


def choices(text: Text, shape: Shape) -> None:
    """In fp32 and in integers; one reads numbers of channels, one is chosen by what another chose."""
    value, other = text.input(shape, "f32"), text.input(shape, "f32")
    least = text.constant(per_channel(text, shape, 0.1))
    larger = text.like("select", text.like("greater", value, least, element="i1"), value, least, element="f32")
    equal = text.like("equal", larger, value, element="i1")
    text.results.append(text.like("select", equal, other, larger, element="f32"))
    codes = [text.rescale(text.input(shape, "i8"), 1.0, 0, 0, "i32") for _ in range(2)]
    chosen = text.like("select", text.like("greater_equal", *codes, element="i1"), *codes, element="i32")
    text.results.append(text.rescale(chosen, 1.0, 0, 3, "i8"))


INTEGERS = [residual_in_integers, product_in_integers, squeeze_and_excite, table]
EXACT = [
    *INTEGERS,
    quantize_before_shifting,
    dequantize,
    normalize,
    channels_everywhere,
    choices,
    one_number_for_some_axis,
]
ROUNDED = [residual_in_floats, quantize]


def check(kinds: list[Callable[[Text, Shape], None]], shapes: list[Shape], *, exact: bool) -> None:
    text = Text()
    for kind in kinds:
        for shape in shapes:
            kind(text, shape)
    expected = run(text, None)
    for isa in BY_LANES:
        assert_equal(run(text, isa), expected, exact=exact)


@given(st.lists(SHAPES, min_size=3, max_size=3, unique=True))
@settings(max_examples=2, deadline=None)
def test_integers_tables_and_fp32_equal_tosa(shapes: list[Shape]) -> None:
    check(EXACT, shapes, exact=True)


@given(st.lists(SHAPES, min_size=4, max_size=4, unique=True))
@settings(max_examples=2, deadline=None)
def test_float_requantization_differs_in_few_roundings(shapes: list[Shape]) -> None:
    check(ROUNDED, shapes, exact=False)


def test_inputs_become_the_same_codes_with_and_without_a_fused_multiply_add() -> None:
    ties = (np.arange(-120, 120) + 0.5 - 4) / np.float32(11.3)
    x = (ties[:, None] * (1 + np.arange(-8, 9) * 2.0**-24)).astype(np.float32).reshape(1, -1)
    text = Text()
    quantize(text, x.shape)
    twice = x * np.float32(11.3) + np.float32(4)
    once = (x.astype(np.float64) * np.float32(11.3) + 4).astype(np.float32)
    expected, fused = (np.rint(each).clip(-128, 127).astype(np.int8) for each in (twice, once))
    assert (expected != fused).any(), "there is nothing to tell them apart"
    for isa in BY_LANES:
        assert_equal(run(text, isa, x), [expected])


def test_float_functions_equal_tosa() -> None:
    check([functions], [(2, 3, 35)], exact=True)


def test_several_workgroups_cover_everything() -> None:
    check([residual_in_integers, squeeze_and_excite, normalize], [LARGE, (1, 70_001)], exact=True)


@pytest.mark.parametrize("kind", [*EXACT, *ROUNDED, functions])
def test_nothing_is_left_to_tosa(kind: Callable[[Text, Shape], None]) -> None:
    text = Text()
    kind(text, (1, 3, 3, 17))
    assert leftovers(text, BY_LANES[0]) == []


def test_more_tensors_than_a_dispatch_may_have_buffers() -> None:
    text = Text()
    total, *others = (text.input((2, 19), "f32") for _ in range(70))
    for value in others:
        total = text.like("add", total, value)
    text.results.append(total)
    assert leftovers(text, BY_LANES[0]) == []
    assert_equal(run(text, BY_LANES[0]), [sum(text.samples())])


def test_a_table_of_one_value_is_a_constant() -> None:
    text = Text()
    value = text.like("table", text.input((3, 5), "i8"), text.constant(np.full(256, 7, np.int8)))
    value = text.like("cast", text.op("reverse", [value], (3, 5), "i8", "axis = 0 : i32"), element="f32")
    text.results.append(text.mul(value, text.number(0.5, value)))
    assert_equal(run(text, BY_LANES[0]), [np.full((3, 5), 3.5, np.float32)])
