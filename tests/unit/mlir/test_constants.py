"""NumPy arrays survive the way through MLIR constants."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.constants import constant, constant_value, element_type, shape_constant
from quantune_mlir.mlir.tosa.build import elementwise


@pytest.fixture
def module() -> Iterator[ir.Module]:
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            yield module


ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "transposed": np.arange(6, dtype=np.int8).reshape(2, 3).T,
    "strided": np.arange(20, dtype=np.float32)[::3],
    "splat": np.full((4, 5), 2.5, np.float32),
    "negative zero": np.array([0.0, -0.0], np.float32),
    "special": np.array([np.nan, np.inf, -np.inf, 1e-45], np.float32),
    "nan splat": np.full(3, np.nan, np.float32),
    "scalar": np.array(3.5, np.float32),
    "half": np.arange(4, dtype=np.float16),
    "double": np.array([1 / 3, 2.0]),
    "int8": np.array([-128, 127, 0], np.int8),
    "int16": np.array([-(2**15), 2**15 - 1], np.int16),
    "int32": np.array([-(2**31), 2**31 - 1], np.int32),
    "int64": np.array([-(2**63), 2**63 - 1], np.int64),
    "bool": np.array([True, False, True] * 5).reshape(3, 5),
    "true": np.ones((2, 9), bool),
    "false": np.zeros((2, 9), bool),
    "empty": np.zeros((0, 3), np.float32),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_round_trip(module: ir.Module, array: np.ndarray) -> None:
    back = constant_value(constant(array))
    assert back is not None
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    if array.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(back), np.signbit(array))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_unsigned_arrays_are_stored_bit_for_bit(module: ir.Module, dtype: type) -> None:
    array = np.array([0, 1, np.iinfo(dtype).max], dtype)
    back = constant_value(constant(array))
    assert back is not None
    assert back.dtype.kind == "i"
    np.testing.assert_array_equal(back.view(dtype), array)


def test_values_are_read_without_a_copy_and_cannot_be_written(module: ir.Module) -> None:
    value = constant(np.arange(1000, dtype=np.float32))
    first, second = constant_value(value), constant_value(value)
    assert first is not None
    assert second is not None
    assert np.shares_memory(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_a_splat_is_stored_once(module: ir.Module) -> None:
    assert constant(np.zeros((1000, 1000), np.float32)).owner.attributes["values"].is_splat


def test_shape_constant(module: ir.Module) -> None:
    value = shape_constant([1, 224, 3])
    assert str(value.type) == "!tosa.shape<3>"
    np.testing.assert_array_equal(constant_value(value), [1, 224, 3])


def test_what_is_computed_has_no_constant_value(module: ir.Module) -> None:
    x = constant(np.ones(3, np.float32))
    assert constant_value(elementwise("exp", x)) is None


def test_an_argument_has_no_constant_value(module: ir.Module) -> None:
    argument = ir.Block.create_at_start(
        ir.Operation.create("test.region", regions=1).regions[0], [element_type(np.float32)]
    )
    assert constant_value(argument.arguments[0]) is None


def test_element_type_refuses_what_mlir_has_no_type_for(module: ir.Module) -> None:
    with pytest.raises(TypeError, match="complex64"):
        element_type(np.complex64)
