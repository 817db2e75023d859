"""Softmax, normalisations and other groups of rows against IREE's own code for the same TOSA."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.unit.kernels.programs import BY_LANES, Text, Value, assert_equal, leftovers, run

Shape = tuple[int, ...]
SHAPES = [(3, 2), (2, 5), (1, 2, 3, 16), (1, 37), (2, 3, 64), (1, 3, 67), (4, 300), (2, 1021)]


def reduced(text: Text, name: str, value: Value) -> Value:
    axis = len(value.shape) - 1
    return text.op(f"reduce_{name}", [value], (*value.shape[:-1], 1), "f32", f"axis = {axis} : i32")


def softmax(text: Text, value: Value) -> Value:
    power = text.like("exp", text.like("sub", value, reduced(text, "max", value)))
    return text.mul(power, text.like("reciprocal", reduced(text, "sum", power)))


def dequantized(text: Text, value: Value) -> Value:
    value = text.like("cast", value, element="f32")
    return text.mul(text.like("sub", value, text.number(-3, value)), text.number(0.1, value))


def quantized(text: Text, value: Value) -> Value:
    value = text.mul(value, text.number(50.3, value))
    return text.like("cast", text.like("add", value, text.number(-4, value)), element="i8")


def masked_softmax(text: Text, shape: Shape) -> Value:
    value = text.input(shape, "f32")
    value = text.mul(value, text.number(0.3, value))
    ones = (1,) * (len(shape) - 2)
    value = text.like("add", value, text.input((*ones, 1, shape[-1]), "f32"))
    mask = np.triu(np.full(shape[-2:], -9.0, np.float32), 2).reshape((*ones, *shape[-2:]))
    return softmax(text, text.like("add", value, text.constant(mask)))


def log_softmax(text: Text, shape: Shape) -> Value:
    value = text.input(shape, "f32")
    value = text.like("sub", value, reduced(text, "max", value))
    return text.like("sub", value, text.like("log", reduced(text, "sum", text.like("exp", value))))


def softmax_in_int8(text: Text, shape: Shape) -> Value:
    return quantized(text, softmax(text, dequantized(text, text.input(shape, "i8"))))


def softmax_of_table(text: Text, shape: Shape) -> Value:
    """Codes that nothing else reads, through a table, are made and read in the same kernel."""
    codes = quantized(text, text.input(shape, "f32"))
    table = text.constant(np.roll(np.arange(-128, 128, dtype=np.int8), 5))
    return softmax(text, dequantized(text, text.like("table", codes, table)))


def layer_norm(text: Text, shape: Shape) -> Value:
    value = text.like("add", text.input(shape, "f32"), text.input(shape, "f32"))
    total = reduced(text, "sum", value)
    centred = text.like("sub", value, text.mul(total, text.number(1 / shape[-1], total)))
    variance = reduced(text, "sum", text.mul(centred, centred))
    variance = text.mul(variance, text.number(1 / shape[-1], variance))
    variance = text.like("add", variance, text.number(1e-5, variance))
    value = text.mul(centred, text.like("rsqrt", variance))
    numbers = np.linspace(0.5, 1.5, shape[-1], dtype=np.float32).reshape((1,) * (len(shape) - 1) + (-1,))
    return text.like("add", text.mul(value, text.constant(numbers)), text.constant(numbers - 1))


def difference_of_means(text: Text, shape: Shape) -> Value:
    """The second reduction feeds what depends on the first."""
    value = text.input(shape, "f32")
    mean, square = reduced(text, "sum", value), reduced(text, "sum", text.mul(value, value))
    return text.mul(value, text.like("sub", square, text.mul(mean, mean)))


KINDS = [masked_softmax, log_softmax, softmax_in_int8, softmax_of_table, layer_norm, difference_of_means]


@pytest.mark.parametrize("isa", BY_LANES)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_equal_tosa(kind: Callable[[Text, Shape], Value], isa: str) -> None:
    text = Text()
    text.results += [kind(text, shape) for shape in SHAPES]
    assert leftovers(text, isa) == []
    assert_equal(run(text, isa), run(text, None), exact=False)


@pytest.mark.parametrize("isa", BY_LANES)
def test_steps_that_are_read_elsewhere_equal_tosa(isa: str) -> None:
    """As where each is observed: numbers of rows are stored, and read by other kernels, i8 ones too."""
    text = Text()
    for shape in [*SHAPES, (1, 9001), (1, 301, 303)]:
        value = text.input(shape, "f32")
        largest = reduced(text, "max", value)
        shifted = text.like("sub", value, largest)
        power = text.like("exp", shifted)
        total = reduced(text, "sum", power)
        inverse = text.like("reciprocal", total)
        scaled = text.mul(value, dequantized(text, text.input((*shape[:-1], 1), "i8")))
        coded = quantized(text, reduced(text, "min", text.like("abs", scaled)))
        text.results += [largest, shifted, power, total, inverse, text.mul(power, inverse), scaled, coded]
    assert leftovers(text, isa) == []
    assert_equal(run(text, isa), run(text, None), exact=False)


def test_rows_too_long_to_be_kept_and_many_workgroups() -> None:
    text = Text()
    text.results += [masked_softmax(text, (2, 9001)), softmax_in_int8(text, (1, 301, 303))]
    assert_equal(run(text, BY_LANES[0]), run(text, None), exact=False)


def test_what_does_not_fit_a_row_stays_outside() -> None:
    text = Text()
    value = text.input((2, 3, 8), "f32")
    scaled = text.op(
        "mul", [value, text.input((2, 1, 1), "f32"), text.constant(np.zeros(1, np.int8))], value.shape, "f32"
    )
    text.results += [softmax(text, scaled), text.op("reduce_max", [value], (2, 1, 8), "f32", "axis = 1 : i32")]
    assert leftovers(text, BY_LANES[0]) == ["tosa.mul", "tosa.reduce_max"]
    assert_equal(run(text, BY_LANES[0]), run(text, None))
