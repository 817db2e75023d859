"""Concatenations of channels that kernels write into, against IREE's own code for the same TOSA."""

from __future__ import annotations

import re

import numpy as np
import pytest

from quantune_mlir.hardware.host_isa import host_isa
from quantune_mlir.kernels.isa.by_name import ISAS
from quantune_mlir.mlir.bindings import ir, make_context
from tests.unit.kernels.programs import BY_LANES, Text, Value, assert_equal, leftovers, lower, run

ISA = host_isa() if host_isa() in ISAS else BY_LANES[0]


def convolution(text: Text, source: Value, channels: int, kernel: int) -> Value:
    rng = np.random.default_rng(channels)
    integer = source.element == "i8"
    shape = (channels, kernel, kernel, source.shape[-1])
    weights = rng.integers(-127, 128, shape).astype(np.int8) if integer else rng.standard_normal(shape, np.float32)
    zero = np.zeros(1, np.int8 if integer else np.float32)
    bias = np.arange(channels).astype(np.int32 if integer else np.float32)
    pad = ", ".join([str(kernel // 2)] * 4)
    accumulator = "i32" if integer else "f32"
    attributes = (
        f"pad = array<i64: {pad}>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, acc_type = {accumulator}"
    )
    operands = [source, *map(text.constant, (weights, bias, zero, zero))]
    value = text.op("conv2d", operands, (*source.shape[:-1], channels), accumulator, attributes)
    return text.rescale(value, 0.003, 0, 2, "i8") if integer else value


def concat(text: Text, *parts: Value) -> Value:
    first, *_ = parts
    shape = (*first.shape[:-1], sum(part.shape[-1] for part in parts))
    return text.op("concat", parts, shape, first.element, f"axis = {len(shape) - 1} : i32")


def pooled(text: Text, source: Value) -> Value:
    attributes = "kernel = array<i64: 3, 3>, stride = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>"
    return text.like("max_pool2d", source, attributes=attributes)


@pytest.mark.parametrize("element", ["i8", "f32"])
def test_producers_of_all_kinds_write_their_channels(element: str) -> None:
    text = Text()
    source = text.input((2, 7, 9, 12), element)
    squeezed = convolution(text, source, 20, 1)
    text.results.append(
        concat(
            text, convolution(text, squeezed, 33, 1), source, convolution(text, squeezed, 5, 3), pooled(text, source)
        )
    )
    assert leftovers(text, ISA) == []
    assert_equal(run(text, ISA), run(text, None))


def test_a_tensor_that_others_read_is_copied() -> None:
    text = Text()
    source = text.input((1, 4, 5, 8), "i8")
    one = convolution(text, source, 16, 3)
    both = concat(text, source, one)
    text.results += [convolution(text, one, 4, 1), concat(text, both, convolution(text, both, 7, 1), one, one)]
    assert leftovers(text, ISA) == []
    assert_equal(run(text, ISA), run(text, None))


def test_two_convolutions_are_joined_without_a_third_dispatch() -> None:
    text = Text()
    source = text.input((1, 6, 6, 16), "i8")
    text.results.append(concat(text, convolution(text, source, 16, 1), convolution(text, source, 16, 3)))
    with make_context():
        module = ir.Module.parse(str(text))
        lower(module, ISA)
        assert len(re.findall(r"flow\.dispatch @", str(module))) == 2


def test_rows_and_constants_stay_tosa() -> None:
    text = Text()
    source = text.input((1, 4, 4, 3), "f32")
    rows = text.op("concat", [source, source], (1, 8, 4, 3), "f32", "axis = 1 : i32")
    text.results += [rows, concat(text, source, text.constant(np.ones((1, 4, 4, 2), np.float32)))]
    assert leftovers(text, ISA) == ["tosa.concat"]
    assert_equal(run(text, ISA), run(text, None))


@pytest.mark.parametrize("element", ["i8", "f32"])
def test_a_pooling_writes_the_channels_that_are_padded_after_it(element: str) -> None:
    text = Text()
    for before, channels, after in ((0, 16, 16), (8, 16, 8), (3, 20, 1), (0, 70, 59)):
        value = pooled(text, text.input((2, 5, 3, channels), element))
        text.results.append(text.pad_channels(value, before, after, filler=7))
    value = pooled(text, text.input((1, 2, 2, 4), element))
    text.results += [value, text.pad_channels(value, 1, 1, filler=0)]
    assert leftovers(text, ISA) == ["tosa.pad"]
    assert_equal(run(text, ISA), run(text, None))
