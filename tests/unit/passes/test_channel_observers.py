"""The kernel that observes channels sums and compares as NumPy does."""

from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.execution.compiler import compile_module
from quantune_mlir.execution.program import Program
from quantune_mlir.execution.targets import load_target
from quantune_mlir.ir import quantune_dialect
from quantune_mlir.ir.constants import tensor_type
from quantune_mlir.ir.mlir import func, ir, make_context
from quantune_mlir.passes.driver import run_pipeline
from quantune_mlir.passes.lower_channel_observers import LowerChannelObservers

SHAPES = [(1, 1), (7,), (3, 15), (1, 2, 2, 16), (255, 17), (256, 32), (1, 30, 30, 33), (5000, 3)]


@pytest.fixture(scope="module")
def program() -> Program:
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):

            @func.FuncOp.from_py_func(*(tensor_type(shape, np.float32) for shape in SHAPES), name="main")
            def main(*arguments: ir.Value) -> ir.Value:
                for index, argument in enumerate(arguments):
                    quantune_dialect.observe_channels(argument, str(index))
                return arguments[0]

        run_pipeline(module, [LowerChannelObservers()])
        return Program(compile_module(module, load_target("host")))


@pytest.mark.parametrize("shift", [0.0, -3.0, 1e4])
def test_sums_and_extremes(program: Program, shift: float) -> None:
    rng = np.random.default_rng(1)
    inputs = [(rng.standard_normal(shape) + shift).astype(np.float32) for shape in SHAPES]
    state = program(*inputs)[1]
    rows = [x.reshape(-1, x.shape[-1]) for x in inputs]
    np.testing.assert_array_equal(state[1], np.concatenate([x.min(axis=0) for x in rows]))
    np.testing.assert_array_equal(state[2], np.concatenate([x.max(axis=0) for x in rows]))
    sums = np.concatenate([x.astype(np.float64).sum(axis=0) for x in rows])
    magnitudes = np.concatenate([np.abs(x.astype(np.float64)).sum(axis=0) for x in rows])
    assert (np.abs(state[0] - sums) <= 2.0**-17 * magnitudes).all()


def test_each_inference_starts_afresh(program: Program) -> None:
    inputs = [np.ones(shape, np.float32) for shape in SHAPES]
    program(*(5 * x for x in inputs))
    state = program(*inputs)[1]
    np.testing.assert_array_equal(state[1:], 1)
    np.testing.assert_array_equal(
        state[0], np.concatenate([np.full(x.shape[-1], x.size // x.shape[-1]) for x in inputs])
    )
