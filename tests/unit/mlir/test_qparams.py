from __future__ import annotations

import pytest

from quantune_mlir.errors import DataError
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.qparams import from_attribute, to_attribute
from quantune_mlir.numerics.formats import INT16_ACTIVATIONS
from quantune_mlir.numerics.parameters import QuantParams


def parse(text: str) -> QuantParams:
    return from_attribute(ir.Attribute.parse(text, make_context()))


def test_what_does_not_tell_its_bits_is_int8() -> None:
    old = parse("{scale = 5.0e-01 : f32, zero_point = -3 : i32}")
    assert old == QuantParams(0.5, -3)
    assert "bits = 8 : i32" in str(to_attribute(old, make_context()))


def test_parameters_of_another_width_are_read_back() -> None:
    params = QuantParams(0.5, 0, INT16_ACTIVATIONS)
    assert parse(str(to_attribute(params, make_context()))) == params


def test_a_width_that_no_format_has_is_refused() -> None:
    with pytest.raises(DataError, match="activations of 7 bits"):
        parse("{bits = 7 : i32, scale = 5.0e-01 : f32, zero_point = 0 : i32}")
