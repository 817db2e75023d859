"""The kernel that observes channels sums and compares as NumPy does."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import func, ir, make_context
from quantune_mlir.mlir.constants import tensor_type
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.numerics.channels import exact_bins
from quantune_mlir.passes.calibrate.lower_observers import LowerObservers
from quantune_mlir.pipeline.driver import run_pipeline
from quantune_mlir.sensitivity.channel_sums import channel_statistics, observed_channels

SHAPES = [(1, 1), (7,), (3, 15), (1, 2, 2, 16), (255, 17), (256, 32), (1, 30, 30, 33), (5000, 3), (700, 64), (67, 40)]


class Observing:
    """@main observes one tensor of each shape."""

    def __init__(self) -> None:
        with make_context(), ir.Location.unknown():
            module = ir.Module.create()
            with ir.InsertionPoint(module.body):

                @func.FuncOp.from_py_func(*(tensor_type(shape, np.float32) for shape in SHAPES), name="main")
                def main(*arguments: ir.Value) -> ir.Value:
                    for index, argument in enumerate(arguments):
                        quantune.observe_channels(argument, str(index))
                    return arguments[0]

            run_pipeline(module, [LowerObservers()])
            self.tensors = observed_channels(module)
            self.program = Program(compile_module(module, load_target("host")))


@pytest.fixture(scope="module")
def observing() -> Observing:
    return Observing()


@pytest.mark.parametrize("shift", [0.0, -3.0, 1e4])
def test_sums_and_extremes_of_several_inferences(observing: Observing, shift: float) -> None:
    rng = np.random.default_rng(1)
    runs = [[(rng.standard_normal(shape) + shift).astype(np.float32) for shape in SHAPES] for _ in range(3)]
    for run in runs:
        observing.program(*run)
    found = channel_statistics(observing.tensors, observing.program.call("channels"), len(runs))
    for index, shape in enumerate(SHAPES):
        x = np.concatenate([run[index].reshape(-1, shape[-1]) for run in runs])
        statistics = found[str(index)]
        assert statistics.count == len(x)
        np.testing.assert_array_equal(statistics.minimum, x.min(axis=0))
        np.testing.assert_array_equal(statistics.maximum, x.max(axis=0))
        wide = x.astype(np.float64)
        error = np.abs(statistics.mean - wide.mean(axis=0))
        assert (error <= 2.0**-17 * np.abs(wide).mean(axis=0)).all()


@pytest.mark.parametrize("magnitude", [1e-45, 1e-41, 1.2e-38, 1e-3, 1.0, 6e4, 3e38])
def test_single_values_are_added_exactly(observing: Observing, magnitude: float) -> None:
    rng = np.random.default_rng(2)
    inputs = [(rng.uniform(-1, 1, shape) * magnitude).astype(np.float32) for shape in SHAPES]
    observing.program(*inputs)
    bins, _, _ = observing.program.call("channels")
    rows = [(place, x) for place, x in zip(places(), inputs, strict=True) if x.size == x.shape[-1]]
    assert len(rows) == 2
    for place, x in rows:
        np.testing.assert_array_equal(bins[place : place + x.size], exact_bins(x.reshape(-1)))
        assert [Fraction(float(v)) for v in x.reshape(-1)] == [
            sum(Fraction(int(part)) * Fraction(2) ** (16 * k - 149) for k, part in enumerate(row))
            for row in bins[place : place + x.size]
        ]


def test_reading_clears(observing: Observing) -> None:
    inputs = [np.ones(shape, np.float32) for shape in SHAPES]
    observing.program(*(5 * x for x in inputs))
    observing.program.call("channels")
    observing.program(*inputs)
    for name, statistics in channel_statistics(observing.tensors, observing.program.call("channels"), 1).items():
        np.testing.assert_array_equal([statistics.mean, statistics.minimum, statistics.maximum], 1, err_msg=name)


def places() -> list[int]:
    return [sum(shape[-1] for shape in SHAPES[:index]) for index in range(len(SHAPES))]
