from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.backend.deliverables.constants import Constants
from quantune_mlir.errors import CompileError
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.text import parse_module


def read(text: str, resources: str = "") -> bytes:
    module = parse_module(f"module attributes {{test.c = {text}}} {{}}\n{resources}", make_context())
    return Constants(module).bytes_of(module.operation.attributes["test.c"])


def test_parts_of_a_packed_constant_follow_each_other() -> None:
    many = np.arange(200, dtype=np.int16)
    text = (
        "#util.composite<425xi8, [dense<[1.5, -2.0]> : tensor<2xf32>, dense<3> : vector<5xi8>, "
        f'dense<"0x{many.tobytes().hex().upper()}"> : tensor<200xi16>, '
        "dense<[[-1, 2, 3], [4, 5, 6]]> : tensor<2x3xi16>]>"
    )
    expected = np.array([1.5, -2.0], np.float32).tobytes() + bytes([3] * 5) + many.tobytes()
    assert read(text) == expected + np.array([-1, 2, 3, 4, 5, 6], np.int16).tobytes()


def test_many_floats() -> None:
    many = np.linspace(0, 1, 120, dtype=np.float32)
    assert read(f'dense<"0x{many.tobytes().hex().upper()}"> : tensor<2x60xf32>') == many.tobytes()


def test_one_value_fills_a_tensor() -> None:
    assert read("dense<0.1> : tensor<2x4xf32>") == np.full(8, 0.1, np.float32).tobytes()


def test_constants_beside_the_module() -> None:
    resources = '{-# dialect_resources: {builtin: {lent_7: "0x04000000FF01", "odd-1": "0x0100000002"}} #-}'
    text = "#util.composite<4xi8, [dense_resource<lent_7> : tensor<2xi8>, dense<0> : vector<1xi8>, "
    assert read(text + 'dense_resource<"odd-1"> : tensor<1xi8>]>', resources) == bytes([255, 1, 0, 2])


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(CompileError, match="a constant cannot be read"):
        read("#util.byte_pattern<1> : tensor<4xi8>")
