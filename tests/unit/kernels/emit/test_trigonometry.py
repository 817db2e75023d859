from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.graph.units import Kind, find_units
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.integer.table import evaluate_unary
from quantune_mlir.mlir.attributes import LAYER
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.function import entry_block
from tests.unit.kernels.programs import BY_LANES, Text, leftovers, lower

FUNCTIONS = {"sin": np.sin, "cos": np.cos}
SIZE = 4099
EXACT_TO = 2.0**12 * np.pi
"""Whatever the CPU; one that multiplies and adds in one step is exact to 2^21 pi."""


def one_op(name: str) -> Text:
    text = Text()
    text.results.append(text.like(name, text.input((1, SIZE), "f32")))
    return text


@pytest.mark.parametrize("isa", BY_LANES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_sine_and_cosine_are_within_some_units_in_the_last_place(name: str, isa: str) -> None:
    """Near the zeros of either too, where little is left of x."""
    text, random = one_op(name), np.random.default_rng(0)
    assert leftovers(text, isa) == []
    with make_context():
        module = ir.Module.parse(str(text))
        lower(module, isa)
        program = Program(compile_module(module, load_target("host")))
    for limit in (1e-6, 3.2, 100.0, EXACT_TO):
        turns = random.integers(-int(2 * limit / np.pi) - 1, int(2 * limit / np.pi) + 2, SIZE - 99)
        x = np.concatenate([turns * (np.pi / 2), random.uniform(-limit, limit, 99)]).astype(np.float32)[None]
        expected = FUNCTIONS[name](x.astype(np.float64)).astype(np.float32)
        np.testing.assert_array_max_ulp(program(x)[0], expected, 3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_number_stays_none_and_what_is_too_large_stays_within_one(name: str) -> None:
    text = one_op(name)
    with make_context():
        module = ir.Module.parse(str(text))
        lower(module, BY_LANES[0])
        program = Program(compile_module(module, load_target("host")))
    x = np.full((1, SIZE), 3e38, np.float32)
    x[0, :3] = np.nan, np.inf, -np.inf
    (result,) = program(x)
    assert np.isnan(result[0, :3]).all()
    assert (np.abs(result[0, 3:]) <= 1).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_their_int8_form_is_a_table(name: str) -> None:
    with make_context():
        module = ir.Module.parse(str(one_op(name)))
        block = entry_block(module.body.operations[0].operation)
        block.operations[0].operation.attributes[LAYER] = ir.StringAttr.get("wave")
        (unit,) = find_units(block)
        assert unit.kind is Kind.UNARY
        x = np.linspace(-9, 9, 256)
        np.testing.assert_array_max_ulp(evaluate_unary(unit, x), FUNCTIONS[name](x).astype(np.float32), 1)
