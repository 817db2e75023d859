"""The kernels that accumulate inside IREE count and sum as NumPy does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quantune_mlir.execution.compiler import compile_module
from quantune_mlir.execution.program import Program
from quantune_mlir.execution.targets import load_target
from quantune_mlir.ir import quantune_dialect
from quantune_mlir.ir.constants import element_type, tensor_type
from quantune_mlir.ir.mlir import func, ir, make_context
from quantune_mlir.numerics.parameters import QuantParams
from quantune_mlir.passes.driver import run_pipeline
from quantune_mlir.passes.lower_observers import LowerObservers

SIZES = (1, 15, 16, 17, 4095, 4096, 4097, 10**6)
SPECIAL = {
    "negative zero": [-0.0],
    "both zeros": [0.0, -0.0],
    "negatives only": [-3.0, -1e-30, -2.5e7],
    "denormals": [1e-45, -1e-45, 1e-40, -7e-39],
    "extremes": [np.finfo(np.float32).max, np.finfo(np.float32).min],
    "a number": [0.1],
    "infinities": [np.inf, 1.0, -np.inf],
    "NaN": [np.nan, 1.0],
    "negative NaN": [-np.nan, 1.0],
}


def observing(sizes: Sequence[int]) -> bytes:
    """@main takes one f32 tensor of each size and observes it."""
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):

            @func.FuncOp.from_py_func(*(tensor_type([size], np.float32) for size in sizes), name="main")
            def main(*arguments: ir.Value) -> ir.Value:
                for index, argument in enumerate(arguments):
                    quantune_dialect.observe(argument, str(index))
                return arguments[0]

        run_pipeline(module, [LowerObservers()])
        return compile_module(module, load_target("host"))


def measuring(sizes: Sequence[int], params: QuantParams) -> bytes:
    """@main takes, for each size, an f32 tensor, an i8 one and an f32 one, and measures both against the first."""
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            kinds = [np.float32, np.int8, np.float32]
            types = [ir.RankedTensorType.get([size], element_type(kind)) for size in sizes for kind in kinds]

            @func.FuncOp.from_py_func(*types, name="main")
            def main(*arguments: ir.Value) -> ir.Value:
                for index in range(0, len(arguments), 3):
                    x, q, y = arguments[index : index + 3]
                    quantune_dialect.measure(x, q, str(index), noise="local", params=params)
                    quantune_dialect.measure(x, y, str(index), noise="accumulated", params=None)
                return arguments[0]

        run_pipeline(module, [LowerObservers()])
        return compile_module(module, load_target("host"))


@pytest.fixture(scope="module")
def observing_program() -> bytes:
    return observing(SIZES)


def counts_of(program: Program, row: int) -> np.ndarray:
    return drained(program, row)[0]


def drained(program: Program, row: int) -> tuple[np.ndarray, np.float32, np.float32]:
    """A row's counts of all buckets, its smallest and its largest value."""
    occupied, extremes = program.call("drain", row)
    high, low = extremes.view(np.uint32)
    buckets, numbers = occupied.view(np.uint32).T
    assert (np.diff(buckets.astype(np.int64)) > 0).all()
    assert numbers.all()
    counts = np.zeros(65536, np.uint32)
    counts[buckets] = numbers
    return counts, value_of(~low), value_of(high)


def buckets_of(x: np.ndarray) -> np.ndarray:
    return np.bincount(x.view(np.uint32) >> 16, minlength=65536)


def value_of(key: np.uint32) -> np.float32:
    """The f32 of an order-preserving key, as kernels/observe.mlir defines it."""
    bits = key ^ np.uint32(1 << 31) if key >> 31 else ~key
    return np.uint32(bits).view(np.float32)


def test_counts_and_extremes_are_those_of_all_runs(observing_program) -> None:
    rng = np.random.default_rng(0)
    program = Program(observing_program)
    runs = [
        [(rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4)).astype(np.float32) for n in SIZES] for _ in range(3)
    ]
    for run in runs:
        program(*run)
    for row in range(len(SIZES)):
        together = np.concatenate([run[row] for run in runs])
        counts, low, high = drained(program, row)
        np.testing.assert_array_equal(counts, buckets_of(together))
        assert (low, high) == (together.min(), together.max())


@pytest.mark.parametrize(("row", "value"), [(0, 7.0), (5, -9.0), (3, np.inf), (2, -np.inf), (7, np.nan)])
def test_main_returns_the_largest_key_so_far(observing_program, row: int, value: float) -> None:
    program = Program(observing_program)
    inputs = [np.full(n, 0.5, np.float32) for n in SIZES]
    (key,) = program(*inputs)[-1].view(np.uint32)
    assert value_of(key) == 0.5
    inputs[row][-1] = value
    (key,) = program(*inputs)[-1].view(np.uint32)
    assert (key >= 0xFF800000) == (not np.isfinite(value))
    if np.isfinite(value):
        assert value_of(key) == abs(value)


SMALL = (1, 15, 16, 33, 64)
smallest_or_any = st.integers(0, 20 << 16) | st.sampled_from([0, 1 << 31]) | st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def small_program() -> Program:
    return Program(observing(SMALL))


@given(st.tuples(*(hnp.arrays(np.uint32, size, elements=smallest_or_any) for size in SMALL)))
@settings(deadline=None)
def test_every_pattern_is_counted_in_its_own_bucket(small_program, patterns) -> None:
    small_program(*(array.view(np.float32) for array in patterns))
    for row, array in enumerate(patterns):
        np.testing.assert_array_equal(counts_of(small_program, row), buckets_of(array.view(np.float32)))


def test_draining_clears_one_row_and_no_other(observing_program) -> None:
    rng = np.random.default_rng(1)
    program = Program(observing_program)
    first, second = ([rng.standard_normal(n).astype(np.float32) for n in SIZES] for _ in range(2))
    program(*first)
    np.testing.assert_array_equal(counts_of(program, 2), buckets_of(first[2]))
    assert not counts_of(program, 2).any()
    program(*second)
    np.testing.assert_array_equal(counts_of(program, 2), buckets_of(second[2]))
    np.testing.assert_array_equal(counts_of(program, 3), buckets_of(np.concatenate([first[3], second[3]])))


def test_two_programs_loaded_at_once_do_not_interfere(observing_program) -> None:
    rng = np.random.default_rng(2)
    programs = [Program(observing_program) for _ in range(2)]
    inputs = [[rng.standard_normal(n).astype(np.float32) for n in SIZES] for _ in programs]
    for program, run in zip(programs, inputs, strict=True):
        program(*run)
    for program, run in zip(programs, inputs, strict=True):
        np.testing.assert_array_equal(counts_of(program, 5), buckets_of(run[5]))


def test_special_values() -> None:
    arrays = [np.array(values, np.float32) for values in SPECIAL.values()]
    program = Program(observing([array.size for array in arrays]))
    program(*arrays)
    for row, (name, array) in enumerate(zip(SPECIAL, arrays, strict=True)):
        counts, low, high = drained(program, row)
        np.testing.assert_array_equal(counts, buckets_of(array), err_msg=name)
        if np.isnan(array).any():
            assert np.isnan([high, low]).any(), name
        else:
            assert (low.view(np.int32), high.view(np.int32)) == tuple(ordered(array)[[0, -1]].view(np.int32)), name


def ordered(array: np.ndarray) -> np.ndarray:
    """Sorted, with -0 before +0."""
    return array[np.lexsort((~np.signbit(array), array))]


@pytest.mark.parametrize("params", [QuantParams(0.0625, 0), QuantParams(float(np.float32(0.021)), -77)], ids=str)
def test_energies_are_those_of_float64(params: QuantParams) -> None:
    rng = np.random.default_rng(3)
    program = Program(measuring(SIZES, params))
    expected = np.zeros((2 * len(SIZES), 2))
    for _ in range(3):
        arguments: list[np.ndarray] = []
        for index, size in enumerate(SIZES):
            x = rng.standard_normal(size).astype(np.float32)
            q = rng.integers(-128, 128, size).astype(np.int8)
            y = (x + 1e-3 * rng.standard_normal(size)).astype(np.float32)
            real = (q.astype(np.float64) - params.zero_point) * params.scale
            wide = x.astype(np.float64)
            expected[2 * index] += np.sum(wide**2), np.sum((wide - real) ** 2)
            expected[2 * index + 1] += np.sum(wide**2), np.sum((wide - y.astype(np.float64)) ** 2)
            arguments += [x, q, y]
        program(*arguments)
    (energies,) = program.call("energies")
    assert energies.dtype == np.float64
    np.testing.assert_allclose(energies.astype(np.float64), expected, rtol=1e-6)


def test_equal_tensors_have_no_noise() -> None:
    params = QuantParams(0.25, 5)
    program = Program(measuring([40], params))
    q = np.arange(-20, 20).astype(np.int8)
    x = ((q.astype(np.float32) - 5) * np.float32(0.25)).astype(np.float32)
    program(x, q, x)
    (energies,) = program.call("energies")
    assert energies[0, 1] == energies[1, 1] == 0
    assert energies[0, 0] == np.sum(x.astype(np.float64) ** 2)
    assert not program.call("energies")[0].any(), "reading clears"
