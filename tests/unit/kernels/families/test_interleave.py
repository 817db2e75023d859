"""The network's input from NCHW to NHWC against IREE's own code for the same TOSA."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tests.unit.kernels.programs import BY_LANES, Text, Value, assert_equal, leftovers, run


def nhwc(text: Text, value: Value) -> Value:
    batch, channels, *pixels = value.shape
    rank = len(value.shape)
    order = ", ".join(map(str, (0, *range(2, rank), 1)))
    return text.op("transpose", [value], (batch, *pixels, channels), value.element, f"perms = array<i32: {order}>")


def quantized(text: Text, value: Value) -> Value:
    value = text.mul(value, text.number(11.3, value))
    value = text.like("add", value, text.number(4, value))
    return text.like("cast", value, element="i8")


@pytest.mark.parametrize("isa", BY_LANES)
def test_input_is_quantized_and_interleaved(isa: str) -> None:
    text = Text()
    for channels, pixels in product((2, 3, 4), ((1, 1), (2, 3), (5, 13), (120, 121))):
        value = text.input((1 + channels % 2, channels, *pixels), "f32")
        text.results += [nhwc(text, quantized(text, value)), nhwc(text, text.input(value.shape, "f32"))]
    text.results.append(nhwc(text, text.input((2, 3, 37), "i8")))
    assert leftovers(text, isa) == []
    assert_equal(run(text, isa), run(text, None), exact=False)


def test_what_another_layer_reads_too_is_computed_once() -> None:
    text = Text()
    value = quantized(text, text.input((1, 3, 8, 8), "f32"))
    text.results += [nhwc(text, value), value]
    assert_equal(run(text, BY_LANES[0]), run(text, None), exact=False)


def test_tables_before_and_after_need_no_tosa() -> None:
    text = Text()
    entries = text.constant((np.arange(256) * 37 % 256 - 128).astype(np.int8))
    for channels in (2, 3, 4):
        value = quantized(text, text.input((1, channels, 6, 6), "f32"))
        text.results += [
            nhwc(text, text.like("table", value, entries)),
            text.like("table", nhwc(text, value), entries),
        ]
    assert leftovers(text, BY_LANES[0]) == []
    expected = [value.transpose(0, 2, 3, 1) for value in run(untransposed(channels=(2, 3, 4)), BY_LANES[0])]
    assert_equal(run(text, BY_LANES[0]), [value for value in expected for _ in range(2)])


def untransposed(channels: tuple[int, ...]) -> Text:
    """The same tables of the same inputs, NCHW: IREE cannot compile them together with the transpose."""
    text = Text()
    entries = text.constant((np.arange(256) * 37 % 256 - 128).astype(np.int8))
    for count in channels:
        text.results.append(text.like("table", quantized(text, text.input((1, count, 6, 6), "f32")), entries))
    return text
